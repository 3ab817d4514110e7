/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See models.h.
 */
#include "mgmt/models.h"

#include <string.h>

#define KERNEL_WORDS 4

static models_plan_t plan_of(const image_t *image)
{
    return (models_plan_t){.bytes = image->payload, .length = image->payload_bytes};
}

/* True if a firmware with that capability could run the plan. */
static bool is_capable(const image_capability_t *capability, const plan_header_t *plan)
{
    for (uint32_t i = 0; i < KERNEL_WORDS; i++) {
        if ((plan->kernels[i] & ~capability->kernels[i]) != 0) {
            return false;
        }
    }
    return plan->version >= capability->plan_version_min &&
           plan->version <= capability->plan_version_max && plan->target < 8 &&
           (capability->targets >> plan->target & 1u) != 0 &&
           plan->arena_bytes <= capability->arena_bytes;
}

/* The firmware that runs if this one goes back has to be able to run the model too. */
static bool fits_confirmed(const update_t *update, const plan_header_t *plan)
{
    uint32_t confirmed = update->state[UPDATE_FIRMWARE].confirmed;
    if (confirmed == UPDATE_NO_SLOT || confirmed == update->running[UPDATE_FIRMWARE]) {
        return true;
    }
    image_t image;
    image_capability_t capability;
    return image_parse(update->layout, confirmed, &image) == UPDATE_OK &&
           image_capability(&image, &capability) && is_capable(&capability, plan);
}

/* What of a status says that this firmware lacks something, rather than that the plan is wrong. */
static update_reason_t reason_of(infer_status_t status)
{
    switch (status) {
    case INFER_OK:
        return UPDATE_OK;
    case INFER_E_VERSION:
    case INFER_E_TARGET:
    case INFER_E_ARENA:
    case INFER_E_KERNEL:
        return UPDATE_E_UNFIT;
    default:
        return UPDATE_E_PLAN;
    }
}

update_reason_t models_accept(const image_t *image, void *context)
{
    const models_t *models = context;
    update_reason_t reason = reason_of(infer_check(image->payload, image->payload_bytes).status);
    if (reason != UPDATE_OK) {
        return reason;
    }
    const plan_header_t *plan = (const plan_header_t *)image->payload;
    bool has_room = plan->arena_bytes <= models->arena_bytes &&
                    (uintptr_t)models->arena % plan->arena_align == 0;
    return has_room && fits_confirmed(models->update, plan) ? UPDATE_OK : UPDATE_E_UNFIT;
}

static infer_status_t open_plan(const models_t *models, models_plan_t chosen, infer_t *model,
                                models_plan_t *plan)
{
    *plan = chosen;
    return infer_init(model, chosen.bytes, chosen.length, models->arena, models->arena_bytes);
}

infer_status_t models_open_factory(const models_t *models, infer_t *model, models_plan_t *plan)
{
    *plan = models->factory;
    infer_status_t status = infer_check(plan->bytes, plan->length).status;
    return status == INFER_OK ? open_plan(models, *plan, model, plan) : status;
}

infer_status_t models_test(infer_t *model)
{
    for (uint32_t i = 0; i < model->plan->n_inputs; i++) {
        memset(infer_input(model, i), 0, infer_input_bytes(model, i));
    }
    infer_status_t status = infer_invoke(model);
    if (status == INFER_OK) {
        infer_reset(model);
    }
    return status;
}

/* Opens a model that was chosen; one on trial is tested, too. */
static infer_status_t open_chosen(const models_t *models, const update_choice_t *choice,
                                  infer_t *model, models_plan_t *plan, update_reason_t *reason)
{
    infer_status_t status = open_plan(models, plan_of(&choice->image), model, plan);
    *reason = reason_of(status);
    if (status == INFER_OK && choice->trial) {
        status = models_test(model);
        *reason = status == INFER_OK ? UPDATE_OK : UPDATE_E_SELF_TEST;
    }
    return status;
}

/* Where the end of a trial cannot be written down things go on all the same: what has failed is
 * tried again until its attempts are used up, and what works is tested anew at the next start. */
static void end_trial(update_t *update, update_end_t end)
{
    if (end.reason == UPDATE_OK) {
        (void)update_confirm(update, UPDATE_MODEL);
    } else {
        (void)update_reject(update, UPDATE_MODEL, end);
    }
}

/* A confirmed model that cannot be opened stays confirmed: another firmware may open it. */
infer_status_t models_open(const models_t *models, update_end_t end, infer_t *model,
                           models_plan_t *plan)
{
    update_t *update = models->update;
    update_choice_t choice = {.trial = true};
    while (choice.trial) {
        choice = update_choose(update, UPDATE_MODEL, end, models_accept, (void *)(uintptr_t)models);
        if (choice.slot == UPDATE_NO_SLOT) {
            break;
        }
        end = (update_end_t){.reason = UPDATE_OK};
        infer_status_t status = open_chosen(models, &choice, model, plan, &end.reason);
        if (status != INFER_OK && models->on_failure != NULL) {
            models->on_failure(status);
        }
        if (choice.trial) {
            end_trial(update, end);
        }
        if (status == INFER_OK) {
            return INFER_OK;
        }
    }
    update->running[UPDATE_MODEL] = UPDATE_NO_SLOT;
    return models_open_factory(models, model, plan);
}
