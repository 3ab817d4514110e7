/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/clock.h with the lower half of TIMER (RP2040 Datasheet, 4.6), which counts microseconds of
 * the crystal, in deep sleep too. It is not set to 0 but remembered where it stood: the watchdog of
 * a trial, which the bootloader has started, counts on it as well.
 */
#include "hal/clock.h"

#include "port/rp2040/rp2040.h"

static uint32_t start;

void clock_start(void)
{
    start = TIMER_TIMERAWL;
}

uint32_t clock_ticks(void)
{
    return TIMER_TIMERAWL - start;
}

uint32_t timer_raw(uint32_t ticks)
{
    return start + ticks;
}
