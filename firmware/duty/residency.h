/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Time per state, from which the host computes energy. The loop says which state begins; what
 * interrupts take counts for the state that they interrupt.
 */
#ifndef DUTY_RESIDENCY_H
#define DUTY_RESIDENCY_H

#include <stdint.h>

typedef enum {
    STATE_SLEEP,
    STATE_CAPTURE, /* taking in samples, triggers, the loop itself */
    STATE_STAGE_1,
    STATE_STAGE_2,
    STATE_SERIAL, /* sending and receiving */
    STATE_FLASH,
    STATE_REPLAY, /* making samples in place of a sensor: no part of a product's energy */
    STATES
} duty_state_t;

/* All zero: asleep since tick 0. Members are private. */
typedef struct {
    duty_state_t state;
    uint32_t since;
    uint64_t ticks[STATES];
} residency_t;

/* A state begins at `now` (clock ticks, modulo 2^32; at least one call in 2^32 ticks). Returns the
 * state that ends, so that a part can put it back. */
duty_state_t residency_enter(residency_t *residency, duty_state_t state, uint32_t now);

/* Ticks of every state since the last call, or the start; begins anew. They add up to the time
 * between the two calls. */
void residency_take(residency_t *residency, uint32_t now, uint64_t ticks[STATES]);

#endif
