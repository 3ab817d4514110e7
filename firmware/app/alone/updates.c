/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * app/updates.h for firmware that stands alone: there is nothing to update.
 */
#include "app/updates.h"

#include "app/model.h"

static uint8_t received[512]; /* the longest request of records.toml takes 455 as a line */
ring_t updates_ring = {.bytes = received, .size = sizeof received};

restart_t updates_start(void)
{
    return restart_take();
}

void updates_describe(text_t *text)
{
    (void)text;
}

void updates_test(void)
{
}

infer_status_t updates_open(infer_t *model, const uint8_t **plan, uint32_t *length)
{
    *plan = torpor_plan;
    *length = torpor_plan_length;
    infer_verdict_t verdict = infer_check(torpor_plan, torpor_plan_length);
    if (verdict.status != INFER_OK) {
        return verdict.status;
    }
    return infer_init(model, torpor_plan, torpor_plan_length, model_arena, model_arena_bytes);
}

void updates_receive(uint8_t byte)
{
    (void)byte;
}

bool updates_has_flash(void)
{
    return false;
}

bool updates_busy(void)
{
    return false;
}

void updates_versions(text_t *firmware, text_t *model)
{
    (void)firmware;
    (void)model;
}

void updates_progress(void)
{
}
