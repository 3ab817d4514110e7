/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What may run, and what to do when it does not work. One machine for firmware and models:
 *
 *                  arm                 choose (at most UPDATE_ATTEMPTS times)
 *     uploaded ------------> on trial ----------------------------------------> running on trial
 *                               |  ^                                             |         |
 *          image not valid any  |  '-- restart without confirmation (attempts)---'         |
 *          more, attempts used  |                                        reject / confirm  |
 *                               v                                           v              v
 *                           reverted <--------------------------------------'          confirmed
 *
 * The journal is the only truth: all of this is read from it, and each arrow is one record. Until
 * the record is written the old state holds, so power may fail anywhere. What was confirmed last is
 * never overwritten; after a revert it runs again.
 *
 * The bootloader chooses the firmware, the application its model. No function keeps pointers to
 * anything but the layout and the key; no memory but update_t.
 */
#ifndef UPDATE_UPDATE_H
#define UPDATE_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "update/image.h"
#include "update/journal.h"
#include "update/layout.h"
#include "update/reason.h"

#define UPDATE_ATTEMPTS 3

/* The state of a component, as the journal has it. */
typedef struct {
    uint8_t confirmed; /* slot, or UPDATE_NO_SLOT */
    uint8_t trial;     /* slot, or UPDATE_NO_SLOT */
    uint8_t attempts;  /* of the trial that have begun */
    uint8_t rejected;  /* bit `slot`: its image was reverted and has not been armed again */
    uint32_t counter;  /* no image with a lower security counter may run */
    uint8_t confirmed_id[IMAGE_ID_BYTES];
    uint8_t trial_id[IMAGE_ID_BYTES];
    image_version_t confirmed_version;
    image_version_t trial_version;
} update_state_t;

/* A file that is being received, as the journal has it. */
typedef struct {
    uint8_t slot; /* or UPDATE_NO_SLOT */
    uint8_t id[IMAGE_ID_BYTES];
    uint32_t length;
} update_transfer_t;

typedef struct {
    const update_layout_t *layout;
    const update_key_t *key;
    journal_t journal;
    update_state_t state[UPDATE_COMPONENTS];
    update_transfer_t transfer;
    uint8_t running[UPDATE_COMPONENTS]; /* slot that is executing, or UPDATE_NO_SLOT */
} update_t;

/* How the run before ended, for the record of an attempt. */
typedef struct {
    update_reason_t reason; /* UPDATE_E_POWER .. UPDATE_E_RESTART */
    uint32_t pc;
    uint32_t lr;
} update_end_t;

/* Says whether a model may run; `context` is the caller's. NULL: whatever is signed may. */
typedef update_reason_t (*update_accept_t)(const image_t *image, void *context);

/* What to run. */
typedef struct {
    uint8_t slot;        /* UPDATE_NO_SLOT: nothing; the factory plan, or no firmware at all */
    bool trial;          /* it has to be confirmed */
    update_reason_t why; /* with no slot: why the last candidate was not taken */
    image_t image;
} update_choice_t;

/* Reads the journal. */
void update_open(update_t *update, const update_layout_t *layout, const update_key_t *key);

/* Chooses what of a component runs now, and writes that down where it has to be known after a
 * restart: an attempt that begins, a trial that is over. Sets update->running.
 * In this order: the image on trial, the confirmed one; for firmware then any valid one, which so
 * goes on trial (a first installation, or a confirmed image that has decayed): first those not
 * rejected. A trial whose attempt cannot be written down does not run. */
update_choice_t update_choose(update_t *update, update_component_t component, update_end_t end,
                              update_accept_t accept, void *context);

/* Verifies the image in `slot` completely: UPDATE_OK, or why it may not run. `image` may be NULL.
 */
update_reason_t update_check(const update_t *update, uint32_t slot, update_accept_t accept,
                             void *context, image_t *image);

/* Puts the image in `slot` on trial, after a complete check. It runs after the next
 * update_choose(). A trial that is waiting is reverted (UPDATE_E_USER); so it is when `slot` is the
 * confirmed one, which then simply stays. Arming what is on trial changes nothing.
 * UPDATE_E_BUSY: another image is running on trial and has to be confirmed or rejected first. */
update_reason_t update_arm(update_t *update, uint32_t slot, update_accept_t accept, void *context);

/* Confirms what is running of a component; the security counter rises to the image's. Does nothing
 * if it is confirmed already. UPDATE_E_NOTHING: nothing of it runs from a slot. */
update_reason_t update_confirm(update_t *update, update_component_t component);

/* Ends the trial of a component, running or waiting. UPDATE_E_NOTHING: there is none. What runs
 * goes on until the caller chooses anew, for firmware by a restart. */
update_reason_t update_reject(update_t *update, update_component_t component, update_end_t end);

/* True if `slot` must not be written: it is running, confirmed or on trial. */
bool update_is_protected(const update_t *update, uint32_t slot);

/* Writes down that `slot` is erased and receives a file; the next one replaces it. */
bool update_note_transfer(update_t *update, uint32_t slot, const uint8_t *id, uint32_t length);

/* Writes down that what a slot has received counts no more: it is about to be erased. */
bool update_forget_transfer(update_t *update, uint32_t slot);

/* Writes down that an upload was refused. */
bool update_note_refused(update_t *update, update_reason_t reason);

#endif
