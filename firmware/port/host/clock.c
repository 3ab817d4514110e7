/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/clock.h with the clock of POSIX.
 */
#include "hal/clock.h"

#include <time.h>

#include "gen/board_config.h"

static uint64_t origin;

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t nanoseconds = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
    return nanoseconds / (1000000000u / BOARD_TIMER_HZ);
}

void clock_start(void)
{
    origin = now();
}

uint32_t clock_ticks(void)
{
    return (uint32_t)(now() - origin);
}
