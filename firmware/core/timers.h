/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Many one-shot timers on one alarm, and a time that does not wrap. Pure: the caller brings the
 * ticks of its clock and sets its alarm.
 *
 *     on an alarm, or whenever the loop has run:
 *         now = timers_now(&timers, clock_ticks());
 *         while (timers_take(&timers, now, &id)) { ... }
 *         alarm_set(timers_next(&timers, now));
 */
#ifndef CORE_TIMERS_H
#define CORE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#define TIMERS 5

/* All zero: time 0, nothing is set. Members are private. */
typedef struct {
    uint64_t now;
    uint64_t due[TIMERS];
    bool set[TIMERS];
} timers_t;

/* Extends a count modulo 2^32 to 64 bits. Must be called at least every 2^31 ticks: timers_next()
 * sees to that. */
uint64_t timers_now(timers_t *timers, uint32_t ticks);

/* Sets timer `id` (< TIMERS) to a time, instead of what it was set to. */
void timers_set(timers_t *timers, uint32_t id, uint64_t due);

void timers_cancel(timers_t *timers, uint32_t id);

/* Takes one timer that is due, the earliest first, of equal ones the lowest id, and clears it.
 * False: none is. */
bool timers_take(timers_t *timers, uint64_t now, uint32_t *id);

/* The ticks (modulo 2^32) at which to look again: of the earliest timer, at the latest 2^30 after
 * `now`. */
uint32_t timers_next(const timers_t *timers, uint64_t now);

#endif
