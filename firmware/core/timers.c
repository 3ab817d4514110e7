/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See timers.h.
 */
#include "core/timers.h"

#define LONGEST (1u << 30)

uint64_t timers_now(timers_t *timers, uint32_t ticks)
{
    timers->now += (uint32_t)(ticks - (uint32_t)timers->now);
    return timers->now;
}

void timers_set(timers_t *timers, uint32_t id, uint64_t due)
{
    timers->due[id] = due;
    timers->set[id] = true;
}

void timers_cancel(timers_t *timers, uint32_t id)
{
    timers->set[id] = false;
}

/* The timer that is due first, of equal ones the lowest; TIMERS: none is set. */
static uint32_t earliest(const timers_t *timers)
{
    uint32_t first = TIMERS;
    for (uint32_t id = 0; id < TIMERS; id++) {
        if (timers->set[id] && (first == TIMERS || timers->due[id] < timers->due[first])) {
            first = id;
        }
    }
    return first;
}

bool timers_take(timers_t *timers, uint64_t now, uint32_t *id)
{
    uint32_t first = earliest(timers);
    if (first == TIMERS || timers->due[first] > now) {
        return false;
    }
    timers->set[first] = false;
    *id = first;
    return true;
}

/* A time that is long past must not look like one to come. */
uint32_t timers_next(const timers_t *timers, uint64_t now)
{
    uint32_t first = earliest(timers);
    uint64_t next = now + LONGEST;
    if (first != TIMERS && timers->due[first] < next) {
        next = timers->due[first];
    }
    return (uint32_t)(next > now ? next : now);
}
