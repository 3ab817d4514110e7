/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/clock.h with TIMER0 (nRF51 Series Reference Manual 3.0, chapter 18), 32 bits wide: the
 * nRF51's Cortex-M0 has no SysTick.
 */
#include "hal/clock.h"

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define TIMER_START     REG32(BOARD_TIMER_BASE + 0x000)
#define TIMER_CLEAR     REG32(BOARD_TIMER_BASE + 0x00C)
#define TIMER_CAPTURE_0 REG32(BOARD_TIMER_BASE + 0x040)
#define TIMER_MODE      REG32(BOARD_TIMER_BASE + 0x504)
#define TIMER_BITMODE   REG32(BOARD_TIMER_BASE + 0x508)
#define TIMER_PRESCALER REG32(BOARD_TIMER_BASE + 0x510)
#define TIMER_CC_0      REG32(BOARD_TIMER_BASE + 0x540)

#define MODE_TIMER 0u
#define BITMODE_32 3u

_Static_assert(BOARD_TIMER_HZ == 16000000, "the prescaler below is for the full 16 MHz");

void clock_start(void)
{
    TIMER_MODE = MODE_TIMER;
    TIMER_BITMODE = BITMODE_32;
    TIMER_PRESCALER = 0;
    TIMER_CLEAR = 1;
    TIMER_START = 1;
}

uint32_t clock_ticks(void)
{
    TIMER_CAPTURE_0 = 1;
    return TIMER_CC_0;
}
