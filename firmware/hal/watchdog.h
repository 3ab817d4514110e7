/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The hardware watchdog. On a board without one (board.toml says which) these do nothing, and a
 * hang ends by a reset from outside.
 */
#ifndef HAL_WATCHDOG_H
#define HAL_WATCHDOG_H

#include <stdint.h>

/* Starts it, or starts it anew: unless fed, the chip resets after `milliseconds`, asleep or not,
 * having left word (restart_note) of where it hung if the hardware gives it the chance. Where
 * interrupts are masked it may take up to three times as long. */
void watchdog_start(uint32_t milliseconds);

/* Begins the whole time anew. */
void watchdog_feed(void);

/* Stops it. Where the hardware cannot be stopped it goes on, but not while the CPU sleeps: feed it
 * whenever there is progress. */
void watchdog_stop(void);

#endif
