/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See judge.h.
 */
#include "judge.h"

#include <string.h>

#include "flash.h"
#include "scenario.h"

#define HISTORY_SHARE 4 /* of a block at least is history, once some of it is given up */

void judge_open(judge_t *judge)
{
    *judge = (judge_t){
        .confirmed = {NO_IMAGE, NO_IMAGE},
        .confirming = {NO_IMAGE, NO_IMAGE},
    };
    view_read(&judge->known, &scenario.layout);
    judge_again(judge);
}

void judge_fail(judge_t *judge, judge_failure_t failure, const char *what)
{
    if (judge->failure == FAIL_NONE) {
        judge->failure = failure;
        judge->what = what;
    }
}

/* `allowed`: what was asked for. */
static bool is_allowed(uint32_t allowed, uint32_t image)
{
    return scenario_is_approved(image) && (allowed >> image & 1u) != 0;
}

void judge_allow(judge_t *judge, uint32_t image)
{
    judge->allowed |= 1u << image;
}

void judge_confirming(judge_t *judge, uint32_t slot)
{
    uint32_t image = slot == UPDATE_NO_SLOT ? NO_IMAGE : scenario_image_in(slot);
    if (is_allowed(judge->allowed, image)) {
        judge->confirming[update_component_of(slot)] = (uint8_t)image;
    }
}

/* ---- looking at the flash */

/* Events only become more, but for the oldest ones when a block is given up. */
static void check_history(judge_t *judge, const view_t *now)
{
    const view_t *known = &judge->known;
    if (now->first < known->first || view_next(now) < view_next(known)) {
        judge_fail(judge, FAIL_HISTORY, "events are gone");
        return;
    }
    uint32_t least = view_capacity(&scenario.layout) / HISTORY_SHARE;
    if (now->first > known->first && now->count < least) {
        judge_fail(judge, FAIL_HISTORY, "more of the history was given up than had to be");
    }
    for (uint32_t i = now->first; i < view_next(known); i++) {
        if (memcmp(view_event(known, i), view_event(now, i), sizeof(journal_record_t)) != 0) {
            judge_fail(judge, FAIL_HISTORY, "an event has changed");
        }
    }
}

/* What was tried and reverted may run again when it is asked for again. */
static void forbid(judge_t *judge, const journal_record_t *event)
{
    for (uint32_t i = 0; event->kind == JOURNAL_REVERTED && i < scenario.image_count; i++) {
        if (memcmp(scenario.images[i].id, event->id, sizeof event->id) == 0) {
            judge->allowed &= ~(1u << i);
        }
    }
}

/* A trial begins where there is none, with what is not confirmed. */
static void check_armed(judge_t *judge, const view_state_t *state, const journal_record_t *event)
{
    if (state->trial != UPDATE_NO_SLOT) {
        judge_fail(judge, FAIL_HISTORY, "a trial is over and nothing says so");
    } else if (state->confirmed == event->slot &&
               memcmp(state->confirmed_id, event->id, sizeof event->id) == 0) {
        judge_fail(judge, FAIL_WRONG, "what is confirmed has to prove itself again");
    }
}

/* A state is what it was, and what has happened since. */
static void check_sum(judge_t *judge, const view_t *now)
{
    view_sum_t sum = judge->known.sum;
    for (uint32_t i = view_next(&judge->known); i < view_next(now); i++) {
        const journal_record_t *event = view_event(now, i);
        if (event == NULL) {
            judge_fail(judge, FAIL_HISTORY, "events are gone");
            return;
        }
        if (event->kind == JOURNAL_ARMED && event->slot < UPDATE_SLOTS) {
            check_armed(judge, &sum.state[update_component_of(event->slot)], event);
        }
        view_apply(&sum, event);
        forbid(judge, event);
    }
    if (judge->forgetting && now->sum.transfer.slot == UPDATE_NO_SLOT) {
        sum.transfer = now->sum.transfer;
    }
    if (memcmp(&sum, &now->sum, sizeof sum) != 0) {
        judge_fail(judge, FAIL_LOST, "the journal says something else than its events together");
    }
}

/* The confirmed image is there, every byte, and it is the one that it has to be. */
static void check_confirmed(judge_t *judge, const view_t *now, update_component_t component)
{
    const view_state_t *state = &now->sum.state[component];
    uint32_t image =
        state->confirmed == UPDATE_NO_SLOT ? NO_IMAGE : scenario_image_in(state->confirmed);
    if (state->confirmed != UPDATE_NO_SLOT && image == NO_IMAGE) {
        judge_fail(judge, FAIL_LOST, "the confirmed image is damaged");
        return;
    }
    if (image != NO_IMAGE && image == judge->confirming[component]) {
        uint32_t counter = scenario.images[image].counter;
        judge->counter[component] =
            counter > judge->counter[component] ? counter : judge->counter[component];
    } else if (image != judge->confirmed[component]) {
        judge_fail(judge, FAIL_LOST, "another image is confirmed than has to be");
    }
    judge->confirmed[component] = (uint8_t)image;
    judge->confirming[component] = NO_IMAGE;
    if (state->counter != judge->counter[component]) {
        judge_fail(judge, FAIL_LOST, "the security counter is not that of what was confirmed");
    }
}

void judge_again(judge_t *judge)
{
    judge->looked = UINT64_MAX;
}

void judge_look(judge_t *judge)
{
    static view_t now;
    if (flash_sim.violations != 0) {
        judge_fail(judge, FAIL_RULE, flash_sim.violation);
    }
    if (judge->looked == flash_sim.operations) {
        return;
    }
    judge->looked = flash_sim.operations;
    view_read(&now, &scenario.layout);
    if (judge->known.found && !now.found) {
        judge_fail(judge, FAIL_LOST, "there is no journal any more");
        return;
    }
    check_history(judge, &now);
    check_sum(judge, &now);
    for (uint32_t i = 0; i < UPDATE_COMPONENTS; i++) {
        check_confirmed(judge, &now, (update_component_t)i);
    }
    judge->known = now;
}

void judge_sending(judge_t *judge, uint32_t slot, const uint8_t *sha)
{
    judge_look(judge);
    const view_transfer_t *transfer = &judge->known.sum.transfer;
    judge->forgetting = transfer->slot == slot &&
                        (sha == NULL || memcmp(transfer->id, sha, sizeof transfer->id) != 0);
}

/* ---- looking at what starts */

void judge_before(judge_t *judge)
{
    judge_look(judge);
    memcpy(judge->before, judge->known.sum.state, sizeof judge->before);
    judge->next_before = view_next(&judge->known);
    judge->allowed_before = judge->allowed;
}

/* The first event about a component since the device has started. */
static const journal_record_t *first_event(const judge_t *judge, update_component_t component)
{
    for (uint32_t i = judge->next_before; i < view_next(&judge->known); i++) {
        const journal_record_t *event = view_event(&judge->known, i);
        if (event != NULL && event->slot < UPDATE_SLOTS &&
            update_component_of(event->slot) == component) {
            return event;
        }
    }
    return NULL;
}

static bool tells(const journal_record_t *event, update_end_t end)
{
    return event->reason == end.reason && event->detail[0] == end.pc && event->detail[1] == end.lr;
}

/* The model is made for the firmware's engine, and wants no more than the firmware has. */
static bool fits(uint32_t model, uint32_t firmware)
{
    return scenario.images[model].engine == scenario.images[firmware].engine &&
           scenario.images[model].arena_bytes <= scenario.images[firmware].arena_bytes;
}

/* How a trial has to go on when the device starts: with the next attempt, which says how the last
 * one was lost, or with its end. */
static bool goes_on(const view_state_t *state, const journal_record_t *event, update_end_t end)
{
    return event->kind == JOURNAL_ATTEMPT && event->attempt == state->attempts + 1 &&
           event->attempt <= UPDATE_ATTEMPTS &&
           (state->attempts == 0 ? event->reason == UPDATE_OK : tells(event, end));
}

/* Why a trial of such an image has to end. */
static update_reason_t reason_of(uint32_t nature)
{
    static const update_reason_t reasons[] = {
        [NATURE_GOOD] = UPDATE_OK,         [NATURE_SELF_TEST] = UPDATE_E_SELF_TEST,
        [NATURE_HANG] = UPDATE_E_WATCHDOG, [NATURE_FAULT] = UPDATE_E_FAULT,
        [NATURE_POWER] = UPDATE_E_POWER,   [NATURE_RESET] = UPDATE_E_RESET,
        [NATURE_UNFIT] = UPDATE_E_UNFIT,
    };
    return reasons[nature];
}

/* A model that fails without a reset: its attempt is followed by the end of its trial, and another
 * one runs. */
static bool gives_way(const judge_t *judge, const view_state_t *state,
                      const journal_record_t *event, update_end_t end)
{
    uint32_t image = scenario_image_in(state->trial);
    uint32_t nature = image == NO_IMAGE ? NATURE_GOOD : scenario.images[image].nature;
    bool fails = update_component_of(state->trial) == UPDATE_MODEL &&
                 (nature == NATURE_UNFIT || nature == NATURE_SELF_TEST);
    uint32_t next = view_next(&judge->known);
    const journal_record_t *last = view_event(&judge->known, next - 1);
    return fails && goes_on(state, event, end) && view_event(&judge->known, next - 2) == event &&
           last->kind == JOURNAL_REVERTED && last->slot == state->trial &&
           last->reason == reason_of(nature);
}

static bool is_over(const judge_t *judge, const view_state_t *state, const journal_record_t *event,
                    update_end_t end)
{
    uint32_t image = scenario_image_in(state->trial);
    bool unfit = update_component_of(state->trial) == UPDATE_MODEL && image != NO_IMAGE &&
                 !fits(image, judge->firmware);
    bool told = unfit ? event->reason == UPDATE_E_UNFIT
                      : state->attempts == UPDATE_ATTEMPTS && tells(event, end);
    return (event->kind == JOURNAL_REVERTED && told) || gives_way(judge, state, event, end);
}

static void check_trial(judge_t *judge, update_component_t component, uint32_t slot,
                        update_end_t end)
{
    const view_state_t *state = &judge->before[component];
    const journal_record_t *event = first_event(judge, component);
    if (event == NULL || event->slot != state->trial ||
        memcmp(event->id, state->trial_id, sizeof event->id) != 0) {
        judge_fail(judge, FAIL_HISTORY, "a trial goes on and nothing says so");
    } else if (slot == state->trial && !goes_on(state, event, end)) {
        judge_fail(judge, FAIL_HISTORY, "an attempt does not say how the last one has ended");
    } else if (slot != state->trial && !is_over(judge, state, event, end)) {
        judge_fail(judge, FAIL_HISTORY, "a trial is over, and not for the reason there was");
    }
}

/* What may run from a slot. */
static void check_image(judge_t *judge, update_component_t component, uint32_t slot)
{
    const view_state_t *state = &judge->before[component];
    uint32_t image = scenario_image_in(slot);
    if (image == NO_IMAGE) {
        judge_fail(judge, FAIL_BRICKED, "starts what nobody has made");
    } else if (!scenario_is_approved(image)) {
        judge_fail(judge, FAIL_WRONG, "starts what must not run");
    } else if (scenario.images[image].counter < judge->counter[component]) {
        judge_fail(judge, FAIL_WRONG, "starts what is below the security counter");
    } else if (image != judge->confirmed[component] && !is_allowed(judge->allowed_before, image)) {
        judge_fail(judge, FAIL_WRONG, "starts what nobody has asked for");
    } else if (slot != state->trial && slot != state->confirmed &&
               state->confirmed != UPDATE_NO_SLOT) {
        judge_fail(judge, FAIL_WRONG, "starts what is neither confirmed nor on trial");
    }
}

static void check_model(judge_t *judge, uint32_t slot)
{
    uint32_t confirmed = judge->confirmed[UPDATE_MODEL];
    if (slot == UPDATE_NO_SLOT) {
        if (confirmed != NO_IMAGE && fits(confirmed, judge->firmware)) {
            judge_fail(judge, FAIL_LOST, "the factory plan runs instead of the confirmed model");
        }
    } else if (!fits(scenario_image_in(slot), judge->firmware)) {
        judge_fail(judge, FAIL_WRONG, "a model runs that does not fit the firmware");
    }
}

void judge_started(judge_t *judge, update_component_t component, uint32_t slot, bool trial,
                   update_end_t end)
{
    const view_state_t *state = &judge->before[component];
    if (slot != UPDATE_NO_SLOT) {
        check_image(judge, component, slot);
    } else if (component == UPDATE_FIRMWARE) {
        judge_fail(judge, FAIL_BRICKED, "starts nothing");
    }
    if (trial && slot == state->confirmed && slot != state->trial) {
        judge_fail(judge, FAIL_WRONG, "what is confirmed has to prove itself again");
    }
    if (judge->failure != FAIL_NONE) {
        return;
    }
    if (component == UPDATE_FIRMWARE) {
        judge->firmware = scenario_image_in(slot);
    } else {
        check_model(judge, slot);
    }
    if (state->trial != UPDATE_NO_SLOT) {
        check_trial(judge, component, slot, end);
    }
}

/* ---- the end */

/* What has happened is told, unless it is so long ago that the history was given up. */
static bool is_told(const judge_t *judge, uint32_t kind, uint32_t slot, update_reason_t reason,
                    bool cut)
{
    for (uint32_t i = judge->known.first; i < view_next(&judge->known); i++) {
        const journal_record_t *event = view_event(&judge->known, i);
        bool reason_ok = event->reason == reason || (cut && event->reason == UPDATE_E_POWER);
        if (i >= judge->since && event->kind == kind && event->slot == slot && reason_ok) {
            return true;
        }
    }
    return judge->known.first > judge->since;
}

/* What the history has to say about an image that was not to stay; true if it does. */
static bool is_image_told(const judge_t *judge, const scenario_step_t *step, bool cut)
{
    const scenario_image_t *image = &scenario.images[step->image];
    if (step->kind == STEP_SEND && image->refused != 0 && !scenario_is_refused_early(step->image)) {
        return is_told(judge, JOURNAL_REFUSED, step->slot, (update_reason_t)image->refused, false);
    }
    if (step->kind == STEP_ARM && image->refused == 0 && image->nature != NATURE_GOOD) {
        return is_told(judge, JOURNAL_REVERTED, step->slot, reason_of(image->nature), cut);
    }
    return true;
}

static void check_step_told(judge_t *judge, const scenario_step_t *step, bool cut)
{
    update_reason_t reason = (update_reason_t)step->number;
    bool told = step->image == NO_IMAGE || is_image_told(judge, step, cut);
    if (step->kind == STEP_REJECT && !cut) {
        told = is_told(judge, JOURNAL_REVERTED, step->slot, reason, false);
    }
    if (!told) {
        judge_fail(judge, FAIL_HISTORY, "the history does not say why something was refused");
    }
}

void judge_end(judge_t *judge, bool cut)
{
    judge_look(judge);
    for (uint32_t i = 0; i < UPDATE_COMPONENTS; i++) {
        uint32_t confirmed = judge->confirmed[i];
        bool wanted =
            confirmed == scenario.confirmed[i] || (cut && confirmed == scenario.instead[i]);
        if (judge->known.sum.state[i].trial != UPDATE_NO_SLOT) {
            judge_fail(judge, FAIL_STUCK, "a trial does not come to an end");
        } else if (!wanted) {
            judge_fail(judge, FAIL_STUCK, "what was asked for is not confirmed");
        }
    }
    for (uint32_t i = scenario.prepared; i < scenario.step_count; i++) {
        check_step_told(judge, &scenario.steps[i], cut);
    }
}
