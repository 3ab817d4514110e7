/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/watchdog.h with the CMSDK APB watchdog (Arm DDI 0479, Cortex-M System Design Kit, 4.5): when
 * its time is over it raises the NMI, whose handler leaves word and resets; should that not happen,
 * it resets the chip after the same time again.
 */
#include "hal/watchdog.h"

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define WDOG_LOAD    REG32(BOARD_WATCHDOG_BASE + 0x000)
#define WDOG_CONTROL REG32(BOARD_WATCHDOG_BASE + 0x008)
#define WDOG_INTCLR  REG32(BOARD_WATCHDOG_BASE + 0x00C) /* any value: interrupt off, count anew */
#define WDOG_LOCK    REG32(BOARD_WATCHDOG_BASE + 0xC00)

#define CONTROL_INTEN (1u << 0)
#define CONTROL_RESEN (1u << 1)
#define LOCK_OPEN     0x1ACCE551u
#define LOCK_CLOSE    0u

_Static_assert(BOARD_WATCHDOG_HZ % 1000 == 0, "watchdog_start() counts in thousands");

static void count_from(uint32_t load, uint32_t control)
{
    WDOG_LOCK = LOCK_OPEN;
    WDOG_CONTROL = 0;
    WDOG_LOAD = load;
    WDOG_INTCLR = 1;
    WDOG_CONTROL = control;
    WDOG_LOCK = LOCK_CLOSE;
}

void watchdog_start(uint32_t milliseconds)
{
    count_from(milliseconds * (BOARD_WATCHDOG_HZ / 1000), CONTROL_INTEN | CONTROL_RESEN);
}

void watchdog_feed(void)
{
    WDOG_LOCK = LOCK_OPEN;
    WDOG_INTCLR = 1;
    WDOG_LOCK = LOCK_CLOSE;
}

/* QEMU 7.2 counts on without CONTROL, from power-on, and what its second timeout leaves behind
 * would reset as soon as CONTROL is set again: its timer does not run from 0. */
void watchdog_stop(void)
{
    count_from(0, 0);
}
