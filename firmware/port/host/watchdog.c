/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/watchdog.h with a timer of the process, which survives an exec(): restart.c takes its alarm.
 */
#include "hal/watchdog.h"

#include <stddef.h>
#include <sys/time.h>

static uint32_t period;

static void set_timer(uint32_t milliseconds)
{
    const struct itimerval timer = {
        .it_value = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000},
    };
    setitimer(ITIMER_REAL, &timer, NULL);
}

void watchdog_start(uint32_t milliseconds)
{
    period = milliseconds;
    set_timer(period);
}

void watchdog_feed(void)
{
    set_timer(period);
}

void watchdog_stop(void)
{
    period = 0;
    set_timer(0);
}
