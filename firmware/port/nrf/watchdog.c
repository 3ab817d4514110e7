/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/watchdog.h with two counters (nRF51 Series Reference Manual 3.0, chapters 20 and 21; PS
 * v1.11, chapters RTC and WDT). RTC0 keeps the time, asleep too, and its interrupt leaves word of
 * where the firmware hung, then resets. Where interrupts are masked the WDT resets without a word,
 * after half as long again. Once started, the WDT cannot be stopped or set to another time, and a
 * reset by software does not end it: so it pauses while the CPU sleeps, which nobody does for long
 * whose interrupts are masked, for that of RTC0 ends it. QEMU 7.2 has neither.
 */
#include "hal/watchdog.h"

#include <stdbool.h>

#include "port/nrf/nrf.h"

#define WDT_START     REG32(BOARD_WATCHDOG_BASE + 0x000)
#define WDT_RUNSTATUS REG32(BOARD_WATCHDOG_BASE + 0x400)
#define WDT_CRV       REG32(BOARD_WATCHDOG_BASE + 0x504)
#define WDT_RREN      REG32(BOARD_WATCHDOG_BASE + 0x508)
#define WDT_CONFIG    REG32(BOARD_WATCHDOG_BASE + 0x50C)
#define WDT_RR_0      REG32(BOARD_WATCHDOG_BASE + 0x600)

#define RREN_RR_0    (1u << 0)
#define CONFIG_PAUSE 0u /* while the CPU sleeps, and while a debugger halts it */
#define RR_RELOAD    0x6E524635u

#define RTC0           0x4000B000u
#define RTC0_START     REG32(RTC0 + 0x000)
#define RTC0_COMPARE_0 REG32(RTC0 + 0x140)
#define RTC0_INTENSET  REG32(RTC0 + 0x304)
#define RTC0_INTENCLR  REG32(RTC0 + 0x308)
#define RTC0_COUNTER   REG32(RTC0 + 0x504)
#define RTC0_CC_0      REG32(RTC0 + 0x540) /* when it warns */
#define RTC0_CC_1      REG32(RTC0 + 0x544) /* only kept here: how long that is from the last feed */

#define RTC0_IRQ      (BOARD_WATCHDOG_EXCEPTION - 16)
#define INT_COMPARE_0 (1u << 16)
#define COUNTER_MASK  0xFFFFFFu

#define CLOCK_LFCLKSTART  REG32(0x40000000u + 0x008)
#define CLOCK_LFCLKRUN    REG32(0x40000000u + 0x414)
#define CLOCK_LFCLKSTAT   REG32(0x40000000u + 0x418)
#define CLOCKSTAT_RUNNING (1u << 16)
#define START_TRIES       20000u /* readings: the RC oscillator starts within 600 us */

#define CYCLES(ms) ((ms) * 4096 / 125)

_Static_assert(BOARD_WATCHDOG_HZ == 32768, "32768 / 1000 = 4096 / 125, up to 1048 seconds");
_Static_assert(RTC0_IRQ == 11, "RTC0's");
_Static_assert(CYCLES(BOARD_WATCHDOG_TRIAL_MS) < COUNTER_MASK / 2, "RTC0 counts 24 bits");

/* One that runs already is fed, and keeps its time. */
static void start_wdt(uint32_t milliseconds)
{
    if (WDT_RUNSTATUS == 0) {
        WDT_CONFIG = CONFIG_PAUSE;
        WDT_CRV = CYCLES(milliseconds) / 2 * 3;
        WDT_RREN = RREN_RR_0;
        WDT_START = 1;
    }
    WDT_RR_0 = RR_RELOAD;
}

/* An RTC must not be touched before its clock runs (erratum 20 of the nRF52840). */
static void start_slow_clock(void)
{
    if (CLOCK_LFCLKRUN == 0) {
        CLOCK_LFCLKSTART = 1;
    }
    for (uint32_t i = 0; (CLOCK_LFCLKSTAT & CLOCKSTAT_RUNNING) == 0 && i < START_TRIES; i++) {
    }
}

static void forget_warning(void)
{
    RTC0_COMPARE_0 = 0;
    (void)RTC0_COMPARE_0; /* its interrupt is down before it is forgotten */
    nvic_forget(RTC0_IRQ);
}

/* The count goes on for ever: to clear it would take effect a tick later. */
static void begin(void)
{
    RTC0_CC_0 = (RTC0_COUNTER + RTC0_CC_1) & COUNTER_MASK;
    forget_warning();
}

void watchdog_start(uint32_t milliseconds)
{
    start_wdt(milliseconds);
    start_slow_clock();
    RTC0_START = 1;
    RTC0_CC_1 = CYCLES(milliseconds);
    begin();
    RTC0_INTENSET = INT_COMPARE_0;
    nvic_enable(RTC0_IRQ);
}

/* Of a WDT that a run before has started, too. */
void watchdog_feed(void)
{
    WDT_RR_0 = RR_RELOAD;
    if (WDT_RUNSTATUS != 0 && (RTC0_INTENSET & INT_COMPARE_0) != 0) {
        begin();
    }
}

void watchdog_stop(void)
{
    WDT_RR_0 = RR_RELOAD;
    if (WDT_RUNSTATUS != 0) {
        RTC0_INTENCLR = INT_COMPARE_0;
        forget_warning();
    }
}
