/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The first and the last steps of every application's main().
 */
#ifndef APP_START_H
#define APP_START_H

#include "core/loop.h"
#include "hal/restart.h"

/* From reset to where an application begins its own work: clock, serial port, what runs, why the
 * run before ended, the self-test of a trial. Returns why the run before ended. */
restart_t start(void);

/* Sleeps unless an event is pending. It cannot become pending unseen between check and sleep:
 * interrupts are disabled, and one that is pending ends the sleep. */
void start_sleep(const loop_t *loop);

/* The same, with cpu_sleep_deep(): bytes that come over the wire meanwhile may be lost. */
void start_sleep_deep(const loop_t *loop);

#endif
