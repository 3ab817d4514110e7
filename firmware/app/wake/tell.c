/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See tell.h.
 */
#include "app/wake/tell.h"

#include <string.h>

#include "app/console.h"
#include "app/session.h"
#include "app/updates.h"
#include "app/wake/account.h"
#include "app/wake/budget.h"
#include "app/wake/config.h"
#include "app/wake/stage.h"
#include "app/wake/steps.h"
#include "drivers/sensor.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/trace.h"

#define FULL        255u
#define ACK_BYTES   8u /* of a payload: most have short numbers */
#define TRACE_BYTES (TRACE_ENTRIES * 8)

static uint8_t payload[WIRE_MAX_PAYLOAD];

static struct {
    uint32_t records; /* numbered so far */
    uint32_t dropped; /* of them, since the last summary */
    budget_t budget;
    duty_counts_t counted; /* at the last summary */
    uint64_t begun;        /* ms, of the interval */
    uint32_t lost;
    wire_restarted_t restarted;
    uint8_t trace[TRACE_BYTES];
} tell;

static uint32_t next_number(void)
{
    return tell.records++;
}

static uint32_t at_most_16_bits(uint32_t number)
{
    return number < UINT16_MAX ? number : UINT16_MAX;
}

static wire_bytes_t bytes_of(const char *text, uint32_t most)
{
    const char *string = text != NULL ? text : "";
    size_t length = strlen(string);
    return (wire_bytes_t){(const uint8_t *)string, (uint32_t)(length < most ? length : most)};
}

static wire_bytes_t bytes_of_text(const text_t *text, uint32_t most)
{
    return (wire_bytes_t){(const uint8_t *)text->bytes, text->length < most ? text->length : most};
}

/* Sends what was encoded, or drops it: an update has the link. */
static void send(uint32_t length)
{
    if (updates_busy() && !budget_take(&tell.budget, length, clock_ticks(), board.timer_hz)) {
        tell.dropped++;
        return;
    }
    duty_state_t before = account(STATE_SERIAL);
    console_send(payload, length);
    account(before);
}

static void tell_label(uint32_t index)
{
    const char *name = infer_label(session_model(), index);
    if (name != NULL) {
        wire_label_t label = {.n = next_number(), .index = index, .name = bytes_of(name, 32)};
        send((uint32_t)wire_encode_label(&label, payload, sizeof payload));
    }
}

void tell_about(policy_level_t level)
{
    text_t firmware = {0};
    text_t model = {0};
    updates_versions(&firmware, &model);
    wire_about_t about = {
        .n = next_number(),
        .sensor = bytes_of(wake_config.sensor, 16),
        .mode = bytes_of(wake_config.always ? "always" : "gated", 16),
        .classes = stage_classes(),
        .interval = wake_config.interval_ms / 1000,
        .rate = wake_config.format.rate_hz,
        .level = level,
        .firmware = bytes_of_text(&firmware, 20),
        .model = bytes_of_text(&model, 20),
        .plan_crc = session_plan_crc(),
    };
    send((uint32_t)wire_encode_about(&about, payload, sizeof payload));
    for (uint32_t i = 0; i < stage_classes(); i++) {
        tell_label(i);
    }
}

void tell_answer(const answer_t *answer, uint32_t latency_us, uint32_t wake)
{
    trace_note(STEP_ANSWER, (uint16_t)(answer->decision.best | answer->source << 8));
    wire_decision_t decision = {
        .n = next_number(),
        .time = (uint32_t)answer->decision.time,
        .source = answer->source,
        .failure = answer->failure,
        .best = answer->decision.best,
        .score = (answer->decision.score * 1000u + FULL / 2) / FULL,
        .latency = latency_us,
        .wake = wake,
    };
    send((uint32_t)wire_encode_decision(&decision, payload, sizeof payload));
}

/* The counts of the interval: differences to those of the last one. */
static void put_counts(wire_summary_t *summary, const duty_counts_t *counts)
{
    const duty_counts_t *before = &tell.counted;
    summary->wakes = at_most_16_bits(counts->wakes - before->wakes);
    summary->rejected = at_most_16_bits(counts->rejected - before->rejected);
    summary->inferences = at_most_16_bits(counts->inferences - before->inferences);
    summary->fallbacks = at_most_16_bits(counts->fallbacks - before->fallbacks);
    summary->lost = at_most_16_bits(sensor_lost() - tell.lost);
    summary->dropped = at_most_16_bits(tell.dropped);
}

static void put_figures(wire_summary_t *summary, const stage_summary_t *stage)
{
    const summary_figures_t *figures = &stage->figures;
    summary->counts = (wire_bytes_t){figures->sparse, figures->sparse_bytes};
    summary->score_mean = figures->score_mean;
    summary->score_low = figures->score_low;
    summary->latency_50 = figures->latency_50;
    summary->latency_95 = figures->latency_95;
    summary->errors = figures->errors;
    summary->drift = stage->drift;
}

static void begin_interval(uint64_t now_ms, const duty_counts_t *counts)
{
    tell.counted = *counts;
    tell.begun = now_ms;
    tell.lost = sensor_lost();
    tell.dropped = 0;
}

/* The residency is of the time since the last summary of any kind: looking must not hide it, so
 * only one that begins an interval takes it. */
void tell_summary(uint64_t now_ms, const duty_counts_t *counts, bool begin)
{
    uint8_t shares[2 * STATES] = {0};
    stage_summary_t stage = stage_summary(begin);
    if (begin) {
        trace_note(STEP_SUMMARY, 0);
        account_take(shares);
    }
    wire_summary_t summary = {
        .n = next_number(),
        .time = (uint32_t)now_ms,
        .span = (uint32_t)(now_ms - tell.begun),
        .residency = {shares, begin ? sizeof shares : 0},
        .stack = at_most_16_bits(cpu_stack_used()),
    };
    put_counts(&summary, counts);
    put_figures(&summary, &stage);
    if (begin) {
        begin_interval(now_ms, counts);
    }
    send((uint32_t)wire_encode_summary(&summary, payload, sizeof payload));
}

static void put(uint8_t *bytes, uint32_t number, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(number >> 8 * (count - 1 - i));
    }
}

static uint32_t put_trace(const trace_entry_t *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *bytes = tell.trace + 8 * i;
        put(bytes, entries[i].time, 4);
        put(bytes + 4, entries[i].what, 2);
        put(bytes + 6, entries[i].value, 2);
    }
    return 8 * count;
}

void tell_restarted(const restart_t *restart)
{
    trace_entry_t entries[TRACE_ENTRIES];
    uint32_t length = put_trace(entries, trace_start(entries, restart->reason));
    trace_counts_t counts = trace_counts();
    tell.restarted = (wire_restarted_t){
        .kept = restart->kept,
        .reason = restart->reason,
        .exception = restart->exception,
        .pc = restart->pc,
        .lr = restart->lr,
        .cfsr = restart->cfsr,
        .resets = counts.resets,
        .watchdogs = counts.watchdogs,
        .faults = counts.faults,
        .trace = {tell.trace, length},
        .cause = restart->cause,
    };
    trace_note(STEP_START, (uint16_t)restart->reason);
    tell_restarted_again();
}

void tell_restarted_again(void)
{
    tell.restarted.n = next_number();
    send((uint32_t)wire_encode_restarted(&tell.restarted, payload, sizeof payload));
}

void tell_acknowledge(uint32_t seq, uint32_t status)
{
    budget_spend(&tell.budget, ACK_BYTES, clock_ticks(), board.timer_hz);
    session_acknowledge(seq, status);
}

void tell_need(uint32_t start, uint32_t count)
{
    wire_need_t need = {.start = start, .count = count};
    duty_state_t before = account(STATE_SERIAL);
    console_send(payload, wire_encode_need(&need, payload, sizeof payload));
    account(before);
}
