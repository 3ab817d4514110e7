/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See client.h.
 */
#include "client.h"

#include <string.h>

#include "flash.h"
#include "scenario.h"
#include "trace.h"

#define REQUESTS_MAX 20000 /* of a step */
#define FORBIDDEN    (3 * UPDATE_SLOTS)

bool client_is_done(const client_t *client)
{
    return client->step == scenario.step_count;
}

bool client_is_outside(const client_t *client)
{
    if (client_is_done(client)) {
        return false;
    }
    uint8_t kind = scenario.steps[client->step].kind;
    return kind == STEP_LOAD || kind == STEP_START;
}

uint32_t client_target(const client_t *client)
{
    if (client_is_done(client)) {
        return UPDATE_NO_SLOT;
    }
    const scenario_step_t *step = &scenario.steps[client->step];
    bool sends = step->kind == STEP_SEND && !scenario_is_refused_early(step->image);
    return sends || step->kind == STEP_ERASE ? step->slot : UPDATE_NO_SLOT;
}

static void next_step(client_t *client)
{
    client->step++;
    client->begun = false;
    client->sending = false;
    client->reached = 0;
    client->requests = 0;
}

void client_lost(client_t *client)
{
    client->sending = false;
    if (!client->begun) {
        return;
    }
    const scenario_step_t *step = &scenario.steps[client->step];
    if (step->fickle) {
        next_step(client);
    } else if (step->kind == STEP_ERASE) {
        client->reached = 0; /* it was the device that knew */
    }
}

static const scenario_image_t *image_of(const scenario_step_t *step)
{
    return &scenario.images[step->image];
}

/* ---- what a device answers */

static bool is_id(const uint8_t *id, const scenario_step_t *step)
{
    return memcmp(id, image_of(step)->id, IMAGE_ID_BYTES) == 0;
}

static bool is_confirmed(const device_t *device, const scenario_step_t *step)
{
    const update_state_t *state = &device->update.state[update_component_of(step->slot)];
    return state->confirmed == step->slot && is_id(state->confirmed_id, step);
}

static bool is_on_trial(const device_t *device, const scenario_step_t *step)
{
    const update_state_t *state = &device->update.state[update_component_of(step->slot)];
    return state->trial == step->slot && is_id(state->trial_id, step);
}

/* The device has tried the image since the step has begun, and has gone back. */
static bool was_reverted(const client_t *client, device_t *device, const scenario_step_t *step)
{
    journal_t *journal = &device->update.journal;
    journal_record_t event;
    for (uint32_t i = client->since; i < journal_next_event(journal); i++) {
        if (journal_event(journal, i, &event) && event.kind == JOURNAL_REVERTED &&
            event.slot == step->slot && is_id(event.id, step)) {
            return true;
        }
    }
    return false;
}

static update_accept_t accept_of(const scenario_step_t *step)
{
    return update_component_of(step->slot) == UPDATE_MODEL ? models_accept : NULL;
}

/* There is an image of that name, whatever it is worth. */
static bool has_name(const device_t *device, const scenario_step_t *step)
{
    image_t image;
    return image_parse(device->update.layout, step->slot, &image) == UPDATE_OK &&
           is_id(image.hash, step);
}

/* The image is there and may run. */
static bool holds(device_t *device, const scenario_step_t *step)
{
    image_t image;
    return update_check(&device->update, step->slot, accept_of(step), &device->models, &image) ==
               UPDATE_OK &&
           is_id(image.hash, step);
}

/* ---- uploads */

/* An answer that ends the upload. */
static void judge_answer(judge_t *judge, const scenario_step_t *step, update_reason_t answer)
{
    if (answer == (update_reason_t)image_of(step)->refused) {
        return;
    }
    if (image_of(step)->refused != 0) {
        judge_fail(judge, FAIL_WRONG, "an image was not refused, or for another reason");
    } else {
        judge_fail(judge, FAIL_STUCK, "an upload was refused");
    }
}

/* Asks for what a device must refuse; that it does is seen by what its slots hold then. */
static void meddle(client_t *client, device_t *device, judge_t *judge, const scenario_step_t *step)
{
    uint32_t turn = client->meddled++;
    uint32_t slot = turn / 3 % UPDATE_SLOTS;
    uint32_t offset = 0;
    const view_state_t *state = &judge->known.sum.state[update_component_of(slot)];
    bool in_use = slot == state->confirmed || slot == state->trial;
    if (turn % 3 == 0 && in_use) {
        upload_begin(&device->update, &device->upload, slot, image_of(step)->length,
                     image_of(step)->sha, NULL);
    } else if (turn % 3 == 1 && in_use) {
        upload_erase(&device->update, &device->upload, slot, &offset);
    } else if (turn % 3 == 2 && !holds(device, step)) {
        update_arm(&device->update, step->slot, accept_of(step), &device->models);
    }
}

static update_reason_t send_some(device_t *device, const scenario_step_t *step)
{
    const scenario_image_t *image = image_of(step);
    uint32_t offset = device->upload.offset;
    uint32_t rest = image->length - offset;
    uint32_t count = rest < scenario.chunk_bytes ? rest : scenario.chunk_bytes;
    return upload_write(&device->update, &device->upload, offset, image->bytes + offset, count);
}

/* An upload goes on where it was: at most the block that power failed in comes again, and the one
 * before, whose end tells that it is complete. One that was refused meanwhile does not. */
static void check_resumed(const client_t *client, const device_t *device, judge_t *judge,
                          const scenario_step_t *step)
{
    if (image_of(step)->refused == 0 &&
        device->upload.offset + 2 * scenario.layout.erase_size < client->reached) {
        judge_fail(judge, FAIL_LOST, "an upload has to begin anew");
    }
}

/* One message: begins, sends, or finishes. UPDATE_OK: the upload goes on, or is done. */
static update_reason_t send(client_t *client, device_t *device, judge_t *judge,
                            const scenario_step_t *step, bool *done)
{
    const scenario_image_t *image = image_of(step);
    upload_t *upload = &device->upload;
    if (!client->sending || upload->offset == 0) {
        client->sending = true;
        update_reason_t reason = upload_begin(&device->update, upload, step->slot, image->length,
                                              image_of(step)->sha, image->bytes);
        if (reason != UPDATE_OK || !upload->erased) {
            return reason;
        }
        check_resumed(client, device, judge, step);
    }
    update_reason_t reason = send_some(device, step);
    if (reason == UPDATE_OK && upload_is_complete(upload)) {
        *done = true;
        reason = upload_finish(&device->update, upload, accept_of(step), &device->models);
    }
    return reason;
}

static void act_send(client_t *client, device_t *device, judge_t *judge,
                     const scenario_step_t *step)
{
    if (!client->sending && (holds(device, step) || is_confirmed(device, step))) {
        trace("client: %s has the image already", trace_slot(step->slot));
        next_step(client);
        return;
    }
    if (step->careless) {
        meddle(client, device, judge, step);
    }
    bool done = false;
    bool begins = !client->sending;
    if (begins) {
        judge_sending(judge, step->slot, image_of(step)->sha);
    }
    update_reason_t answer = send(client, device, judge, step, &done);
    if (flash_sim.dead) {
        return;
    }
    client->reached = device->upload.offset;
    if (begins) {
        trace("client: uploads to %s, from byte %u on", trace_slot(step->slot),
              (unsigned)device->upload.offset);
    }
    if (answer != UPDATE_OK || done) {
        trace("client: the upload's end, reason %u", (unsigned)answer);
        judge_answer(judge, step, answer);
        next_step(client);
    }
}

/* As much as a second allows, again and again. */
static void act_erase(client_t *client, device_t *device, judge_t *judge,
                      const scenario_step_t *step)
{
    judge_sending(judge, step->slot, NULL);
    update_reason_t answer =
        upload_erase(&device->update, &device->upload, step->slot, &client->reached);
    if (flash_sim.dead) {
        return;
    }
    if (answer != UPDATE_OK) {
        judge_fail(judge, FAIL_STUCK, "a slot that is free was not erased");
    } else if (client->reached == scenario.layout.slots[step->slot].size) {
        trace("client: %s is erased", trace_slot(step->slot));
        if (!scenario_is_empty(step->slot)) {
            judge_fail(judge, FAIL_WRONG, "a slot that was erased is not");
        }
        next_step(client);
    }
}

/* ---- trials */

static void act_arm(client_t *client, device_t *device, judge_t *judge, const scenario_step_t *step)
{
    bool stays = is_confirmed(device, step) &&
                 device->update.state[update_component_of(step->slot)].trial == UPDATE_NO_SLOT;
    if (is_on_trial(device, step) || stays || was_reverted(client, device, step) ||
        !has_name(device, step)) {
        next_step(client);
        return;
    }
    bool approved = scenario_is_approved(step->image);
    if (approved) {
        judge_allow(judge, step->image);
    }
    update_reason_t answer =
        update_arm(&device->update, step->slot, accept_of(step), &device->models);
    if (flash_sim.dead) {
        return;
    }
    trace("client: puts %s on trial, reason %u", trace_slot(step->slot), (unsigned)answer);
    if (approved != (answer == UPDATE_OK)) {
        judge_fail(judge, approved ? FAIL_STUCK : FAIL_WRONG, "a trial was refused, or was not");
    }
    next_step(client);
}

static void act_apply(client_t *client, device_t *device, judge_t *judge,
                      const scenario_step_t *step)
{
    update_component_t component = update_component_of(step->slot);
    bool waits = device->update.state[component].trial != UPDATE_NO_SLOT;
    for (uint32_t i = 0; step->careless && i < FORBIDDEN; i++) {
        judge_look(judge);
        meddle(client, device, judge, step);
    }
    next_step(client);
    if (waits && component == UPDATE_FIRMWARE) {
        trace("client: restarts the device");
        device_reset(device);
    } else if (waits) {
        trace("the model takes its turn");
        device_turn_model(device, judge);
    }
}

static void act_reject(client_t *client, device_t *device, const scenario_step_t *step)
{
    update_end_t end = {.reason = (update_reason_t)step->number};
    update_reason_t answer = update_reject(&device->update, update_component_of(step->slot), end);
    if (!flash_sim.dead) {
        trace("client: ends the trial of %s, reason %u", trace_slot(step->slot), (unsigned)answer);
        next_step(client);
    }
}

/* ---- the factory, and time */

static void act_load(client_t *client, judge_t *judge, const scenario_step_t *step)
{
    const scenario_image_t *image = image_of(step);
    flash_sim_load(scenario.layout.slots[step->slot].offset, image->bytes, image->length);
    judge_again(judge);
    judge_allow(judge, step->image);
    next_step(client);
}

/* Uploads are refused until the block of the journal is as full as it is wanted. */
static void act_fill(client_t *client, device_t *device, const scenario_step_t *step)
{
    uint32_t wanted = view_capacity(&scenario.layout) - step->number;
    while (device->update.journal.next != wanted) {
        update_note_refused(&device->update, UPDATE_E_KEY);
    }
    next_step(client);
}

void client_act(client_t *client, device_t *device, judge_t *judge)
{
    const scenario_step_t *step = &scenario.steps[client->step];
    if (client->requests++ > REQUESTS_MAX) {
        judge_fail(judge, FAIL_STUCK, "a request is repeated for ever");
    }
    if (!client->begun && !client_is_outside(client)) {
        client->begun = true;
        client->since = journal_next_event(&device->update.journal);
    }
    switch (step->kind) {
    case STEP_LOAD:
        act_load(client, judge, step);
        break;
    case STEP_START:
        device_lose_ram(device);
        next_step(client);
        break;
    case STEP_FILL:
        act_fill(client, device, step);
        break;
    case STEP_SEND:
        act_send(client, device, judge, step);
        break;
    case STEP_ARM:
        act_arm(client, device, judge, step);
        break;
    case STEP_APPLY:
        act_apply(client, device, judge, step);
        break;
    case STEP_ERASE:
        act_erase(client, device, judge, step);
        break;
    default:
        act_reject(client, device, step);
        break;
    }
}
