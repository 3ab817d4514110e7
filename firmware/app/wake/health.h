/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The watchdog is fed only while the loop makes progress: blocks of the sensor have to come. Where
 * it does not make any, the chip restarts, and tells where it stood.
 */
#ifndef APP_WAKE_HEALTH_H
#define APP_WAKE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the watchdog, or starts it anew: a model's trial stops it. */
void health_start(void);

/* Ticks of the clock from one health_look() to the next; 0: there is no watchdog. */
uint32_t health_period(void);

/* Feeds the watchdog if `steps`, which count up with each block, have moved since the last time, or
 * if there is nothing to wait for. */
void health_look(uint32_t steps, bool nothing_to_do);

#endif
