/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The engine for plans of TensorFlow Lite Micro, without TensorFlow Lite Micro: infer_check() and
 * what opens a plan are the firmware's, an inference copies the first input to where an output
 * would be. Which model runs depends on what is accepted and opened, not on what it computes.
 */
#include <string.h>

#include "engine.h"
#include "infer/plan/header.h"

/* Bytes of the arena before input `index`, or behind the last one. Inputs lie one behind the other,
 * behind what the engine itself needs. */
static uint32_t bytes_before(const infer_t *model, uint32_t index)
{
    uint32_t bytes = PLAN_TFLM_BYTES;
    for (uint32_t i = 0; i < index; i++) {
        bytes += infer_input_bytes(model, i);
    }
    return bytes;
}

infer_status_t infer_init(infer_t *model, const void *plan, size_t length, void *arena,
                          size_t arena_bytes)
{
    const plan_header_t *header = plan;
    infer_status_t status = infer_check_header(plan, length);
    if (status != INFER_OK) {
        return status;
    }
    *model = (infer_t){.plan = header, .arena = arena};
    uint32_t needed = bytes_before(model, header->n_inputs) + infer_input_bytes(model, 0);
    if (header->arena_bytes > arena_bytes || header->arena_bytes < needed) {
        return INFER_E_ARENA;
    }
    return (uintptr_t)arena % header->arena_align == 0 ? INFER_OK : INFER_E_ALIGN;
}

void infer_reset(infer_t *model)
{
    (void)model;
}

void *infer_input(infer_t *model, uint32_t index)
{
    return model->arena + bytes_before(model, index);
}

infer_status_t infer_invoke(infer_t *model)
{
    uint8_t *behind = infer_input(model, model->plan->n_inputs);
    memcpy(behind, infer_input(model, 0), infer_input_bytes(model, 0));
    return INFER_OK;
}

const engine_t engine_tflm = {
    .check = infer_check,
    .init = infer_init,
    .reset = infer_reset,
    .invoke = infer_invoke,
    .input = infer_input,
};
