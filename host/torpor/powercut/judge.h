/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Judges a device from outside: by the bytes of its flash, by what it starts, and by what it was
 * asked for and has answered. Knows all images of the scenario byte by byte and reads the journal
 * by itself; believes nothing that the device's RAM says.
 */
#ifndef POWERCUT_JUDGE_H
#define POWERCUT_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "update/update.h"
#include "view.h"

/* What can be wrong. */
typedef enum {
    FAIL_NONE = 0,
    FAIL_BRICKED = 1, /* starts nothing, or what nobody has made */
    FAIL_LOST = 2,    /* what was confirmed, a state or a counter is no longer what it was */
    FAIL_WRONG = 3,   /* runs, or says it would run, what must not run */
    FAIL_STUCK = 4,   /* does not come to the end that was asked for */
    FAIL_HISTORY = 5, /* does not say what happened */
    FAIL_RULE = 6,    /* the flash was used as no flash may be */
    FAIL_KINDS = 7
} judge_failure_t;

typedef struct {
    uint32_t failure; /* judge_failure_t; the first one */
    const char *what;
    view_t known;                           /* the journal at the last look, */
    uint64_t looked;                        /* after so many operations of the flash */
    uint8_t confirmed[UPDATE_COMPONENTS];   /* image that is, or NO_IMAGE */
    uint8_t confirming[UPDATE_COMPONENTS];  /* image that may be by now */
    uint32_t counter[UPDATE_COMPONENTS];    /* lowest that may run */
    uint32_t allowed;                       /* bit `image`: it was asked for */
    bool forgetting;                        /* what a slot has received may count no more */
    view_state_t before[UPDATE_COMPONENTS]; /* what the device found when it started */
    uint32_t next_before;
    uint32_t allowed_before;
    uint32_t firmware; /* image that runs */
    uint32_t since;    /* number of the first event of what is proven */
} judge_t;

/* A device without a journal. */
void judge_open(judge_t *judge);

/* Notes what is wrong, if nothing was before. */
void judge_fail(judge_t *judge, judge_failure_t failure, const char *what);

/* An image was asked for, or was there from the beginning: it may run on trial. */
void judge_allow(judge_t *judge, uint32_t image);

/* The device is about to confirm what is in `slot`. */
void judge_confirming(judge_t *judge, uint32_t slot);

/* A client begins to send the file with that SHA-256 to `slot`, or has it erased (NULL), which may
 * have received another one before. */
void judge_sending(judge_t *judge, uint32_t slot, const uint8_t *sha);

/* The flash may have changed without an operation: power has failed, or somebody has loaded it. */
void judge_again(judge_t *judge);

/* Looks at the flash, at any moment between two operations. */
void judge_look(judge_t *judge);

/* The device starts: looks, and remembers what it finds. */
void judge_before(judge_t *judge);

/* The device runs what is in `slot` of a component, UPDATE_NO_SLOT: nothing from a slot; `trial`:
 * that has to confirm itself. `end` is what it was told of the run before. After judge_look().
 * Firmware before the model. */
void judge_started(judge_t *judge, update_component_t component, uint32_t slot, bool trial,
                   update_end_t end);

/* All is done: is it as the scenario wants it, and does the history tell why? `cut`: power has
 * failed on the way. */
void judge_end(judge_t *judge, bool cut);

#endif
