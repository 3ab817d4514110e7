/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Which model runs: the one on trial, the confirmed one, or the factory plan, which is built into
 * the firmware so that something can always run.
 */
#ifndef MGMT_MODELS_H
#define MGMT_MODELS_H

#include <stdint.h>

#include "infer/infer.h"
#include "update/update.h"

/* Where a plan lies. */
typedef struct {
    const uint8_t *bytes;
    uint32_t length;
} models_plan_t;

typedef struct {
    update_t *update;
    models_plan_t factory;
    void *arena; /* one model at a time is open in it */
    uint32_t arena_bytes;
} models_t;

/* For update_accept_t; `context` is a models_t. Accepts a model if this firmware proves its plan
 * safe and has the memory for it, and if the confirmed firmware, should that be another one, says
 * of itself that it could run it too: UPDATE_E_PLAN, UPDATE_E_UNFIT. */
update_reason_t models_accept(const image_t *image, void *context);

/* Chooses a model and opens it; `end` is how the last run ended. One on trial makes an inference
 * and is confirmed then. `plan` is what is open. Anything but INFER_OK: no slot has a model that
 * may run, and the factory plan cannot be opened either. */
infer_status_t models_open(const models_t *models, update_end_t end, infer_t *model,
                           models_plan_t *plan);

/* Opens the factory plan, whatever else there is. */
infer_status_t models_open_factory(const models_t *models, infer_t *model, models_plan_t *plan);

/* One inference of an open model with zeros, and back to its initial state. */
void models_test(infer_t *model);

#endif
