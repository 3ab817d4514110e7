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
    /* Told of a model in a slot that cannot be opened, or whose test has failed, while
     * infer_message() still speaks of it. NULL: nobody wants to know. */
    void (*on_failure)(infer_status_t status);
} models_t;

/* For update_accept_t; `context` is a models_t. Accepts a model if this firmware proves its plan
 * safe and has the memory for it, and if the confirmed firmware, should that be another one, says
 * of itself that it could run it too: UPDATE_E_PLAN, UPDATE_E_UNFIT. */
update_reason_t models_accept(const image_t *image, void *context);

/* Chooses a model and opens it; `end` is how the last run ended. One on trial makes an inference
 * and is confirmed then; if it cannot be opened (UPDATE_E_UNFIT, UPDATE_E_PLAN) or the inference
 * fails (UPDATE_E_SELF_TEST) its trial is over at once, and another is chosen. `plan` is what is
 * open. Anything but INFER_OK: no slot has a model that can be opened, and the factory plan cannot
 * either. */
infer_status_t models_open(const models_t *models, update_end_t end, infer_t *model,
                           models_plan_t *plan);

/* Opens the factory plan, whatever else there is. */
infer_status_t models_open_factory(const models_t *models, infer_t *model, models_plan_t *plan);

/* One inference of an open model with zeros, and back to its initial state. Anything but INFER_OK:
 * it has failed, and the model is not to be used. */
infer_status_t models_test(infer_t *model);

#endif
