/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The journal as somebody reads it who has its description (docs/SPEC.md) and the bytes of the
 * flash, but none of the code that has written them.
 */
#ifndef POWERCUT_VIEW_H
#define POWERCUT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "update/journal.h"
#include "update/layout.h"

#define VIEW_EVENTS_MAX 128

/* Of a component; what says nothing is 0. */
typedef struct {
    uint8_t confirmed;
    uint8_t trial;
    uint8_t attempts;
    uint8_t rejected;
    uint32_t counter;
    uint8_t confirmed_id[IMAGE_ID_BYTES];
    uint8_t trial_id[IMAGE_ID_BYTES];
} view_state_t;

typedef struct {
    uint32_t slot;
    uint32_t length;
    uint8_t id[IMAGE_ID_BYTES];
} view_transfer_t;

/* What the records say together. */
typedef struct {
    view_state_t state[UPDATE_COMPONENTS];
    view_transfer_t transfer;
} view_sum_t;

typedef struct {
    bool found;     /* there is a journal */
    uint32_t first; /* number of the oldest event */
    uint32_t count; /* of events */
    view_sum_t sum;
    journal_record_t events[VIEW_EVENTS_MAX];
} view_t;

/* Reads the journal from the simulated flash. */
void view_read(view_t *view, const update_layout_t *layout);

/* What a record changes. */
void view_apply(view_sum_t *sum, const journal_record_t *record);

/* How many records fit into a block. */
uint32_t view_capacity(const update_layout_t *layout);

/* Number of the event that comes next. */
static inline uint32_t view_next(const view_t *view)
{
    return view->first + view->count;
}

/* Event `number`, or NULL if it is not there. */
const journal_record_t *view_event(const view_t *view, uint32_t number);

#endif
