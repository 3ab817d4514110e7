/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A free-running count for measuring durations. It counts while the CPU sleeps.
 */
#ifndef HAL_CLOCK_H
#define HAL_CLOCK_H

#include <stdint.h>

/* Starts counting from 0. Call once, with interrupts disabled. */
void clock_start(void);

/* Ticks since clock_start(), modulo 2^32; board.timer_hz of them are one second. A duration is
 * the difference of two calls as uint32_t, right up to 2^32 - 1 ticks. Callable from anywhere,
 * but interrupts must not stay disabled for 2^24 ticks (the count is extended by an interrupt
 * where the hardware has only 24 bits). */
uint32_t clock_ticks(void);

#endif
