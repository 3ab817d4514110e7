/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/watchdog.h with the watchdog (RP2040 Datasheet, 4.7) and, because that gives no warning, an
 * alarm of TIMER: its interrupt leaves word of where the firmware hung, then resets. Where
 * interrupts are masked the watchdog resets without a word, 10 % later. Its counter goes down by
 * two a tick (erratum RP2040-E1), so that it can wait for 8.3 seconds and no more. It resets all
 * but the oscillators, and is stopped by that.
 */
#include "hal/watchdog.h"

#include "port/rp2040/rp2040.h"

#define ALARM      (1u << ALARM_OF_WATCHDOG)
#define IRQ        (BOARD_WATCHDOG_EXCEPTION - 16)
#define LOAD_MOST  0xFFFFFFu
#define LONGEST_MS 7600u
#define LOAD(ms)   (((ms) + (ms) / 10) * 2000)

_Static_assert(IRQ == ALARM_OF_WATCHDOG, "each alarm has an interrupt of its own");
_Static_assert(LOAD(LONGEST_MS) <= LOAD_MOST, "see above");
_Static_assert(BOARD_WATCHDOG_TRIAL_MS <= LONGEST_MS, "it cannot wait longer");

static void forget_warning(void)
{
    TIMER_ARMED = ALARM;
    TIMER_INTR = ALARM;
    (void)TIMER_INTR; /* its interrupt is down before it is forgotten */
    nvic_forget(IRQ);
}

static void begin(void)
{
    uint32_t milliseconds = WATCHDOG_SCRATCH(SCRATCH_TIME);
    WATCHDOG_LOAD = LOAD(milliseconds);
    forget_warning();
    TIMER_ALARM(ALARM_OF_WATCHDOG) = TIMER_TIMERAWL + 1000 * milliseconds;
}

void watchdog_start(uint32_t milliseconds)
{
    WATCHDOG_CTRL(CLEAR) = CTRL_ENABLE;
    PSM_WDSEL = WDSEL_ALL_BUT_OSCS;
    WATCHDOG_SCRATCH(SCRATCH_TIME) = milliseconds < LONGEST_MS ? milliseconds : LONGEST_MS;
    begin();
    TIMER_INTE(SET) = ALARM;
    nvic_enable(IRQ);
    WATCHDOG_CTRL(SET) = CTRL_ENABLE;
}

void watchdog_feed(void)
{
    if ((WATCHDOG_CTRL(PLAIN) & CTRL_ENABLE) != 0) {
        begin();
    }
}

void watchdog_stop(void)
{
    WATCHDOG_CTRL(CLEAR) = CTRL_ENABLE;
    TIMER_INTE(CLEAR) = ALARM;
    forget_warning();
}
