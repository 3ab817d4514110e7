/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What a restart leaves to be told: the last steps of the run before, and how often runs have ended
 * in which way. In RAM that a reset keeps and power loss does not, behind what hal/restart.h keeps.
 */
#ifndef HAL_TRACE_H
#define HAL_TRACE_H

#include <stdint.h>

#define TRACE_ENTRIES 8

typedef struct {
    uint32_t time; /* clock ticks */
    uint16_t what; /* the caller's numbers: app/wake/steps.h */
    uint16_t value;
} trace_entry_t;

/* Since power came: how many runs have ended how. Each stays at its largest value. */
typedef struct {
    uint16_t resets;    /* by the reset pin or on purpose */
    uint16_t watchdogs; /* a hang */
    uint16_t faults;    /* a fault of the CPU, or an exception that nobody asked for */
} trace_counts_t;

/* Starts a new ring and returns what the run before has left: its entries, oldest first, to
 * `entries`; none after power loss. Counts how that run has ended: `reason` as of restart_take().
 * Call once, at start, after restart_take() or handoff_take(). */
uint32_t trace_start(trace_entry_t entries[TRACE_ENTRIES], uint32_t reason);

/* Notes a step; the oldest of more than TRACE_ENTRIES are forgotten. A few instructions. */
void trace_note(uint16_t what, uint16_t value);

/* How runs have ended since power came. */
trace_counts_t trace_counts(void);

#endif
