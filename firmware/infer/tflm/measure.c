/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See measure.h.
 */
#include "infer/tflm/measure.h"

#include <string.h>

#include "infer/tflm/engine.h"
#include "infer/tflm/message.h"

#define STEP PLAN_ALIGN

/* What is tried out, and where. */
typedef struct {
    const plan_header_t *plan;
    uint8_t *arena;
    infer_t model;
} trial_t;

static infer_status_t open_with(trial_t *trial, uint32_t bytes)
{
    tflm_message_clear();
    return tflm_open(&trial->model, trial->plan, trial->arena, bytes);
}

static infer_status_t run_with(trial_t *trial, uint32_t bytes)
{
    infer_status_t status = open_with(trial, bytes);
    for (uint32_t i = 0; status == INFER_OK && i < trial->plan->n_inputs; i++) {
        memset(infer_input(&trial->model, i), 0, infer_input_bytes(&trial->model, i));
    }
    return infer_invoke(&trial->model);
}

/* Multiples of STEP: `most` is enough to open the model, and less than `least` is not. */
static uint32_t fewest(trial_t *trial, uint32_t least, uint32_t most)
{
    while (least < most) {
        uint32_t middle = least + (most - least) / 2 / STEP * STEP;
        if (open_with(trial, middle) == INFER_OK) {
            most = middle;
        } else {
            least = middle + STEP;
        }
    }
    return most;
}

tflm_measured_t tflm_measure(const void *plan, void *arena, uint32_t arena_bytes)
{
    trial_t trial = {.plan = (const plan_header_t *)plan, .arena = (uint8_t *)arena};
    uint32_t reserved = tflm_reserved(trial.plan);
    tflm_message_clear();
    if (arena_bytes < reserved) {
        return (tflm_measured_t){.status = INFER_E_ARENA};
    }
    uint32_t most = (arena_bytes - reserved) / STEP * STEP;
    tflm_measured_t found = {.status = open_with(&trial, most)};
    if (found.status != INFER_OK) {
        return found;
    }
    uint32_t least = (tflm_used(&trial.model) + STEP - 1u) / STEP * STEP;
    found.arena = fewest(&trial, least, most);
    found.status = run_with(&trial, found.arena);
    while (found.status == INFER_E_ARENA && found.arena < most) { /* a kernel that asks late */
        found.arena += STEP;
        found.status = run_with(&trial, found.arena);
    }
    found.used = found.status == INFER_OK ? tflm_used(&trial.model) : 0;
    return found;
}
