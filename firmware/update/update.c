/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See update.h. Each function that changes something appends one record and then applies it to the
 * state, with the same function that reads the journal at start: what is in RAM cannot differ from
 * what a restart would find.
 */
#include "update/update.h"

#include <string.h>

static void take_trial(update_state_t *state, const journal_record_t *record, uint8_t attempts)
{
    state->trial = record->slot;
    state->attempts = attempts;
    state->trial_version = record->version;
    memcpy(state->trial_id, record->id, sizeof state->trial_id);
}

static void take_confirmed(update_state_t *state, const journal_record_t *record)
{
    state->confirmed = record->slot;
    state->counter = record->detail[0];
    state->confirmed_version = record->version;
    memcpy(state->confirmed_id, record->id, sizeof state->confirmed_id);
}

static void end_trial(update_state_t *state, uint32_t slot)
{
    if (state->trial == slot) {
        state->trial = UPDATE_NO_SLOT;
        state->attempts = 0;
        state->trial_version = (image_version_t){0};
        memset(state->trial_id, 0, sizeof state->trial_id);
    }
}

static uint8_t slot_bit(uint32_t slot)
{
    return (uint8_t)(1u << slot);
}

/* A record of a slot, applied to the state of its component. */
static void apply_to_slot(update_state_t *state, const journal_record_t *record)
{
    uint8_t bit = slot_bit(record->slot);
    switch (record->kind) {
    case JOURNAL_ON_TRIAL:
        take_trial(state, record, record->attempt);
        break;
    case JOURNAL_ARMED:
        take_trial(state, record, 0);
        state->rejected &= (uint8_t)~bit;
        break;
    case JOURNAL_ATTEMPT:
        state->attempts = state->trial == record->slot ? record->attempt : state->attempts;
        break;
    case JOURNAL_CONFIRMED:
        take_confirmed(state, record);
        end_trial(state, record->slot);
        state->rejected &= (uint8_t)~bit;
        break;
    case JOURNAL_REVERTED:
        end_trial(state, record->slot);
        state->rejected |= bit;
        break;
    default:
        break;
    }
}

static void take_state(update_state_t *state, const journal_record_t *record)
{
    *state = (update_state_t){.trial = UPDATE_NO_SLOT, .rejected = record->reason};
    take_confirmed(state, record);
}

/* A component is confirmed in a slot of its own, or in none. */
static bool is_state_sound(const journal_record_t *record)
{
    bool own_slot = record->slot < UPDATE_SLOTS &&
                    update_component_of(record->slot) == (update_component_t)record->attempt;
    return record->attempt < UPDATE_COMPONENTS && (own_slot || record->slot == UPDATE_NO_SLOT);
}

static void take_transfer(update_transfer_t *transfer, const journal_record_t *record)
{
    transfer->slot = record->slot;
    transfer->length = record->detail[0];
    memcpy(transfer->id, record->id, sizeof transfer->id);
}

/* Records are read from flash that anybody may have written: no number is trusted. */
static void apply(update_t *update, const journal_record_t *record)
{
    switch (record->kind) {
    case JOURNAL_STATE:
        if (is_state_sound(record)) {
            take_state(&update->state[record->attempt], record);
        }
        break;
    case JOURNAL_REFUSED:
        update->transfer.slot = UPDATE_NO_SLOT;
        break;
    case JOURNAL_TRANSFER:
    case JOURNAL_UPLOAD:
        if (record->slot < UPDATE_SLOTS || record->slot == UPDATE_NO_SLOT) {
            take_transfer(&update->transfer, record);
        }
        break;
    default:
        if (record->slot < UPDATE_SLOTS) {
            apply_to_slot(&update->state[update_component_of(record->slot)], record);
        }
        break;
    }
}

void update_open(update_t *update, const update_layout_t *layout, const update_key_t *key)
{
    *update = (update_t){
        .layout = layout,
        .key = key,
        .transfer = {.slot = UPDATE_NO_SLOT},
        .running = {UPDATE_NO_SLOT, UPDATE_NO_SLOT},
    };
    for (uint32_t i = 0; i < UPDATE_COMPONENTS; i++) {
        update->state[i].confirmed = UPDATE_NO_SLOT;
        update->state[i].trial = UPDATE_NO_SLOT;
    }
    journal_open(&update->journal, layout);
    journal_record_t record;
    uint32_t index = 0;
    while (journal_read(&update->journal, &index, &record)) {
        apply(update, &record);
    }
}

/* Writes the records that say what `update` says; returns how many. */
static uint32_t make_snapshot(const update_t *update, journal_record_t *records)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < UPDATE_COMPONENTS; i++) {
        const update_state_t *state = &update->state[i];
        journal_record_t *record = &records[count++];
        *record = (journal_record_t){
            .kind = JOURNAL_STATE,
            .slot = state->confirmed,
            .reason = state->rejected,
            .attempt = (uint8_t)i,
            .version = state->confirmed_version,
            .detail = {state->counter, 0},
        };
        memcpy(record->id, state->confirmed_id, sizeof record->id);
        if (state->trial == UPDATE_NO_SLOT) {
            continue;
        }
        record = &records[count++];
        *record = (journal_record_t){
            .kind = JOURNAL_ON_TRIAL,
            .slot = state->trial,
            .attempt = state->attempts,
            .version = state->trial_version,
        };
        memcpy(record->id, state->trial_id, sizeof record->id);
    }
    /* No transfer is written down too: the events before may speak of one that was forgotten. */
    journal_record_t *record = &records[count++];
    *record = (journal_record_t){
        .kind = JOURNAL_TRANSFER,
        .slot = update->transfer.slot,
        .detail = {update->transfer.length, 0},
    };
    memcpy(record->id, update->transfer.id, sizeof record->id);
    return count;
}

static bool append(update_t *update, const journal_record_t *record)
{
    journal_record_t snapshot[JOURNAL_SNAPSHOT_MAX];
    uint32_t count = make_snapshot(update, snapshot);
    if (!journal_append(&update->journal, record, snapshot, count)) {
        return false;
    }
    apply(update, record);
    return true;
}

static journal_record_t record_of(journal_kind_t kind, uint32_t slot, const image_t *image)
{
    journal_record_t record = {
        .kind = (uint8_t)kind,
        .slot = (uint8_t)slot,
        .version = image->version,
    };
    memcpy(record.id, image->hash, sizeof record.id);
    return record;
}

/* A record of the image on trial, which may not be there any more. */
static journal_record_t record_of_trial(journal_kind_t kind, const update_state_t *state)
{
    journal_record_t record = {
        .kind = (uint8_t)kind,
        .slot = state->trial,
        .version = state->trial_version,
    };
    memcpy(record.id, state->trial_id, sizeof record.id);
    return record;
}

static bool append_armed(update_t *update, uint32_t slot, const image_t *image,
                         update_reason_t reason)
{
    journal_record_t record = record_of(JOURNAL_ARMED, slot, image);
    record.reason = (uint8_t)reason;
    return append(update, &record);
}

static bool append_attempt(update_t *update, const update_state_t *state, update_end_t end)
{
    journal_record_t record = record_of_trial(JOURNAL_ATTEMPT, state);
    record.attempt = (uint8_t)(state->attempts + 1);
    if (state->attempts != 0) {
        record.reason = (uint8_t)end.reason;
        record.detail[0] = end.pc;
        record.detail[1] = end.lr;
    }
    return append(update, &record);
}

static bool append_reverted(update_t *update, const update_state_t *state, update_end_t end)
{
    journal_record_t record = record_of_trial(JOURNAL_REVERTED, state);
    record.reason = (uint8_t)end.reason;
    record.detail[0] = end.pc;
    record.detail[1] = end.lr;
    return append(update, &record);
}

update_reason_t update_check(const update_t *update, uint32_t slot, update_accept_t accept,
                             void *context, image_t *image)
{
    image_t own;
    image_t *found = image != NULL ? image : &own;
    if (slot >= UPDATE_SLOTS) {
        return UPDATE_E_EMPTY;
    }
    update_component_t component = update_component_of(slot);
    update_reason_t reason = image_parse(update->layout, slot, found);
    if (reason == UPDATE_OK) {
        uint32_t counter = update->state[component].counter;
        reason = image_verify(update->layout, update->key, slot, counter, found);
    }
    if (reason == UPDATE_OK && accept != NULL && component == UPDATE_MODEL) {
        reason = accept(found, context);
    }
    return reason;
}

/* Checks that `slot` holds the very image that the journal speaks of. */
static update_reason_t check_same(const update_t *update, uint32_t slot, const uint8_t *id,
                                  update_accept_t accept, void *context, image_t *image)
{
    update_reason_t reason = update_check(update, slot, accept, context, image);
    if (reason == UPDATE_OK && memcmp(image->hash, id, IMAGE_ID_BYTES) != 0) {
        return UPDATE_E_REPLACED;
    }
    return reason;
}

static update_choice_t chosen(update_t *update, uint32_t slot, bool trial, const image_t *image)
{
    update->running[update_component_of(slot)] = (uint8_t)slot;
    return (update_choice_t){.slot = (uint8_t)slot, .trial = trial, .image = *image};
}

static update_choice_t nothing(update_reason_t why)
{
    return (update_choice_t){.slot = UPDATE_NO_SLOT, .why = why};
}

/* The image on trial, if it may begin another attempt and that can be written down. */
static update_choice_t choose_trial(update_t *update, const update_state_t *state, update_end_t end,
                                    update_accept_t accept, void *context)
{
    image_t image;
    update_reason_t reason =
        check_same(update, state->trial, state->trial_id, accept, context, &image);
    if (reason != UPDATE_OK) {
        append_reverted(update, state, (update_end_t){.reason = reason});
        return nothing(reason);
    }
    if (state->attempts >= UPDATE_ATTEMPTS) {
        append_reverted(update, state, end);
        return nothing(end.reason);
    }
    uint8_t slot = state->trial;
    if (!append_attempt(update, state, end)) {
        return nothing(UPDATE_E_FLASH);
    }
    return chosen(update, slot, true, &image);
}

static update_choice_t choose_confirmed(update_t *update, const update_state_t *state,
                                        update_accept_t accept, void *context)
{
    image_t image;
    update_reason_t reason =
        check_same(update, state->confirmed, state->confirmed_id, accept, context, &image);
    if (reason != UPDATE_OK) {
        return nothing(reason);
    }
    return chosen(update, state->confirmed, false, &image);
}

/* Any firmware that is valid, when nothing was confirmed or the confirmed image has decayed. It
 * goes on trial like any other; one that was rejected runs again only if nothing else is left, and
 * then without a limit: a device that tries is better than one that has given up. */
static update_choice_t choose_any(update_t *update, update_state_t *state, update_reason_t why)
{
    image_t image;
    update_reason_t last = why;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t slot = 0; slot < UPDATE_FIRMWARE_SLOTS; slot++) {
            bool rejected = (state->rejected & slot_bit(slot)) != 0;
            if (rejected != (pass != 0)) {
                continue;
            }
            update_reason_t reason = update_check(update, slot, NULL, NULL, &image);
            if (reason != UPDATE_OK) {
                last = last == UPDATE_OK || last == UPDATE_E_EMPTY ? reason : last;
                continue;
            }
            if (!rejected && append_armed(update, slot, &image, why)) {
                append_attempt(update, state, (update_end_t){0});
            }
            return chosen(update, slot, true, &image);
        }
    }
    return nothing(last);
}

update_choice_t update_choose(update_t *update, update_component_t component, update_end_t end,
                              update_accept_t accept, void *context)
{
    update_state_t *state = &update->state[component];
    update_choice_t choice = nothing(UPDATE_E_EMPTY);
    update->running[component] = UPDATE_NO_SLOT;
    if (state->trial != UPDATE_NO_SLOT) {
        choice = choose_trial(update, state, end, accept, context);
    }
    if (choice.slot == UPDATE_NO_SLOT && state->confirmed != UPDATE_NO_SLOT) {
        choice = choose_confirmed(update, state, accept, context);
    }
    if (choice.slot == UPDATE_NO_SLOT && component == UPDATE_FIRMWARE) {
        choice = choose_any(update, state, choice.why);
    }
    return choice;
}

/* Ends a trial that has not begun to run. */
static update_reason_t withdraw(update_t *update, update_component_t component)
{
    const update_state_t *state = &update->state[component];
    if (state->trial == UPDATE_NO_SLOT) {
        return UPDATE_OK;
    }
    if (state->trial == update->running[component]) {
        return UPDATE_E_BUSY;
    }
    bool done = append_reverted(update, state, (update_end_t){.reason = UPDATE_E_USER});
    return done ? UPDATE_OK : UPDATE_E_FLASH;
}

static bool is_same(const image_t *image, const uint8_t *id)
{
    return memcmp(image->hash, id, IMAGE_ID_BYTES) == 0;
}

update_reason_t update_arm(update_t *update, uint32_t slot, update_accept_t accept, void *context)
{
    image_t image;
    update_reason_t reason = update_check(update, slot, accept, context, &image);
    if (reason != UPDATE_OK) {
        return reason;
    }
    update_component_t component = update_component_of(slot);
    const update_state_t *state = &update->state[component];
    if (slot == state->trial && is_same(&image, state->trial_id)) {
        return UPDATE_OK;
    }
    reason = withdraw(update, component);
    if (reason != UPDATE_OK) {
        return reason;
    }
    if (slot == state->confirmed && is_same(&image, state->confirmed_id)) {
        return UPDATE_OK;
    }
    return append_armed(update, slot, &image, UPDATE_OK) ? UPDATE_OK : UPDATE_E_FLASH;
}

update_reason_t update_confirm(update_t *update, update_component_t component)
{
    const update_state_t *state = &update->state[component];
    uint8_t slot = update->running[component];
    if (slot == UPDATE_NO_SLOT) {
        return UPDATE_E_NOTHING;
    }
    image_t image;
    update_reason_t reason = update_check(update, slot, NULL, NULL, &image);
    if (reason != UPDATE_OK) {
        return reason;
    }
    if (slot == state->confirmed && slot != state->trial && is_same(&image, state->confirmed_id)) {
        return UPDATE_OK;
    }
    journal_record_t record = record_of(JOURNAL_CONFIRMED, slot, &image);
    record.detail[0] = image.counter; /* not below the one before: that was checked */
    return append(update, &record) ? UPDATE_OK : UPDATE_E_FLASH;
}

update_reason_t update_reject(update_t *update, update_component_t component, update_end_t end)
{
    const update_state_t *state = &update->state[component];
    if (state->trial == UPDATE_NO_SLOT) {
        return UPDATE_E_NOTHING;
    }
    return append_reverted(update, state, end) ? UPDATE_OK : UPDATE_E_FLASH;
}

bool update_is_protected(const update_t *update, uint32_t slot)
{
    update_component_t component = update_component_of(slot);
    const update_state_t *state = &update->state[component];
    return slot == update->running[component] || slot == state->confirmed || slot == state->trial;
}

bool update_note_transfer(update_t *update, uint32_t slot, const uint8_t *id, uint32_t length)
{
    journal_record_t record = {
        .kind = JOURNAL_UPLOAD, .slot = (uint8_t)slot, .detail = {length, 0}};
    memcpy(record.id, id, sizeof record.id);
    return append(update, &record);
}

bool update_forget_transfer(update_t *update, uint32_t slot)
{
    const journal_record_t record = {.kind = JOURNAL_TRANSFER, .slot = UPDATE_NO_SLOT};
    return update->transfer.slot != slot || append(update, &record);
}

bool update_note_refused(update_t *update, update_reason_t reason)
{
    journal_record_t record = {
        .kind = JOURNAL_REFUSED,
        .slot = update->transfer.slot,
        .reason = (uint8_t)reason,
        .detail = {update->transfer.length, 0},
    };
    memcpy(record.id, update->transfer.id, sizeof record.id);
    return append(update, &record);
}
