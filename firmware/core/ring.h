/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A byte queue from one interrupt to the main loop. One side only puts, the other only takes, so
 * neither needs to disable interrupts.
 */
#ifndef CORE_RING_H
#define CORE_RING_H

#include <stdbool.h>
#include <stdint.h>

/* The caller gives it room; all else zero is an empty ring. The counts are private, run on and wrap
 * at 2^32. */
typedef struct {
    uint8_t *bytes;
    uint32_t size;           /* of them, a power of two */
    volatile uint32_t put;   /* written by the producer only */
    volatile uint32_t taken; /* written by the consumer only */
    volatile uint32_t lost;  /* written by the producer only */
} ring_t;

/* Producer: appends a byte, or counts it as lost if the ring is full. */
void ring_put(ring_t *ring, uint8_t byte);

/* Consumer: takes the oldest byte into `*byte`; false if there is none. */
bool ring_take(ring_t *ring, uint8_t *byte);

/* How many bytes were lost so far, modulo 2^32. */
uint32_t ring_lost(const ring_t *ring);

#endif
