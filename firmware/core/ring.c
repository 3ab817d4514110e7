/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See ring.h.
 */
#include "core/ring.h"

/* Keeps the compiler from moving the access to the byte over the access to the count. Enough on
 * one core: an interrupt sees its own core's accesses in program order. */
static inline void compiler_barrier(void)
{
    __asm volatile("" ::: "memory");
}

void ring_put(ring_t *ring, uint8_t byte)
{
    uint32_t put = ring->put;
    if (put - ring->taken == ring->size) {
        ring->lost = ring->lost + 1;
        return;
    }
    ring->bytes[put & (ring->size - 1)] = byte;
    compiler_barrier();
    ring->put = put + 1;
}

bool ring_take(ring_t *ring, uint8_t *byte)
{
    uint32_t taken = ring->taken;
    if (taken == ring->put) {
        return false;
    }
    compiler_barrier();
    *byte = ring->bytes[taken & (ring->size - 1)];
    compiler_barrier();
    ring->taken = taken + 1;
    return true;
}

uint32_t ring_lost(const ring_t *ring)
{
    return ring->lost;
}
