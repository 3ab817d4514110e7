/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/watchdog.h with the WDT (PS v1.11, chapter WDT). Once started it cannot be stopped or set to
 * another time, and a reset by software does not end it; it pauses while the CPU sleeps, and while
 * a debugger halts it. Two of its cycles before the reset it raises an interrupt, which leaves word
 * of where the firmware hung.
 */
#include "hal/watchdog.h"

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define WDT_START     REG32(BOARD_WATCHDOG_BASE + 0x000)
#define WDT_TIMEOUT   REG32(BOARD_WATCHDOG_BASE + 0x100)
#define WDT_INTENSET  REG32(BOARD_WATCHDOG_BASE + 0x304)
#define WDT_RUNSTATUS REG32(BOARD_WATCHDOG_BASE + 0x400)
#define WDT_CRV       REG32(BOARD_WATCHDOG_BASE + 0x504)
#define WDT_RREN      REG32(BOARD_WATCHDOG_BASE + 0x508)
#define WDT_CONFIG    REG32(BOARD_WATCHDOG_BASE + 0x50C)
#define WDT_RR_0      REG32(BOARD_WATCHDOG_BASE + 0x600)

#define INT_TIMEOUT  (1u << 0)
#define RREN_RR_0    (1u << 0)
#define CONFIG_PAUSE 0u
#define RR_RELOAD    0x6E524635u

_Static_assert(BOARD_WATCHDOG_HZ == 32768, "32768 / 1000 = 4096 / 125, up to 1048 seconds");

/* One that runs already is fed, and keeps its time. */
void watchdog_start(uint32_t milliseconds)
{
    WDT_INTENSET = INT_TIMEOUT;
    nvic_enable(BOARD_WATCHDOG_EXCEPTION - 16);
    if (WDT_RUNSTATUS == 0) {
        WDT_TIMEOUT = 0;
        WDT_CONFIG = CONFIG_PAUSE;
        WDT_CRV = milliseconds * 4096 / 125 - 1; /* it takes CRV + 1 cycles */
        WDT_RREN = RREN_RR_0;
        WDT_START = 1;
    }
    watchdog_feed();
}

void watchdog_feed(void)
{
    WDT_RR_0 = RR_RELOAD;
}

void watchdog_stop(void)
{
    watchdog_feed();
}
