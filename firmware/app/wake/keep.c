/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See keep.h.
 */
#include "app/wake/keep.h"

#include "app/console.h"
#include "app/session.h"
#include "app/updates.h"
#include "app/wake/account.h"
#include "app/wake/config.h"
#include "app/wake/steps.h"
#include "hal/trace.h"

#define DATA_MAX     256u
#define KIND_RAW     0
#define KIND_SUMMARY 1
#define NONE         1u /* status of a `sample` */
#define COLUMNS_MAX  40u

static store_t store;
static sampler_t sampler;
static uint8_t payload[WIRE_MAX_PAYLOAD];

void keep_start(void)
{
    static const store_layout_t none = {.size = 0};
    store_open(&store, updates_has_flash() ? &wake_config.store : &none);
    sampler_start(&sampler, store.next_number + 1);
}

/* Mean of a column, and how far its codes are from it on average. */
static void summarise_column(const int8_t *codes, uint32_t rows, uint32_t columns, int8_t *summary)
{
    int32_t sum = 0;
    int32_t away = 0;
    for (uint32_t row = 0; row < rows; row++) {
        sum += codes[row * columns];
    }
    int32_t mean = sum / (int32_t)rows;
    for (uint32_t row = 0; row < rows; row++) {
        int32_t difference = codes[row * columns] - mean;
        away += difference < 0 ? -difference : difference;
    }
    summary[0] = (int8_t)mean;
    summary[1] = (int8_t)(away / (int32_t)rows > INT8_MAX ? INT8_MAX : away / (int32_t)rows);
}

static uint32_t summarise(const int8_t *codes, int8_t *summary)
{
    uint32_t columns = wake_config.columns < COLUMNS_MAX ? wake_config.columns : COLUMNS_MAX;
    for (uint32_t i = 0; i < columns; i++) {
        summarise_column(codes + i, wake_config.rows, wake_config.columns, summary + 2 * i);
    }
    return 2 * columns;
}

static void keep(store_entry_t *entry)
{
    static int8_t summary[2 * COLUMNS_MAX];
    const int8_t *codes = infer_input(session_model(), 0);
    entry->kind = wake_config.raw ? KIND_RAW : KIND_SUMMARY;
    entry->length = (uint16_t)(wake_config.raw ? infer_input_bytes(session_model(), 0)
                                               : summarise(codes, summary));
    trace_note(STEP_KEEP, entry->why);
    duty_state_t before = account(STATE_FLASH);
    (void)store_put(&store, entry, wake_config.raw ? codes : summary); /* full, broken: not kept */
    account(before);
}

void keep_consider(const stage_result_t *result, uint32_t now_s)
{
    if (updates_busy()) { /* many chips are deaf while their flash is busy */
        return;
    }
    uint8_t score = result->scores[result->best];
    sample_why_t why = sampler_choose(&sampler, &wake_config.sampler, score);
    if (why == SAMPLE_NO) {
        return;
    }
    store_entry_t entry = {
        .time = now_s,
        .plan = session_plan_crc(),
        .why = (uint8_t)why,
        .best = (uint8_t)result->best,
        .score = score,
    };
    keep(&entry);
}

void keep_answer(const wire_fetch_t *request)
{
    store_entry_t entry;
    const uint8_t *data;
    wire_sample_t sample = {.seq = request->seq, .status = NONE, .offset = request->offset};
    if (store_find(&store, request->number, &entry, &data) && request->offset <= entry.length) {
        uint32_t length = entry.length - request->offset;
        sample.status = 0;
        sample.number = entry.number;
        sample.time = entry.time;
        sample.plan = entry.plan;
        sample.why = entry.why;
        sample.best = entry.best;
        sample.score = entry.score;
        sample.kind = entry.kind;
        sample.size = entry.length;
        sample.data = (wire_bytes_t){data + request->offset, length < DATA_MAX ? length : DATA_MAX};
    }
    console_send(payload, wire_encode_sample(&sample, payload, sizeof payload));
}
