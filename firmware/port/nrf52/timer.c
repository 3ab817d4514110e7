/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/clock.h with an RTC (PS v1.11, chapter RTC): 24 bits at 32,768 Hz, which go on in the deepest
 * sleep. The clock is the time of the last look, and what the count has gone on since. Two compare
 * registers see to it that somebody looks at least every 256 seconds, half of what the count can
 * tell: it does not matter how late they are, or if one comes twice (erratum 179).
 */
#include "hal/clock.h"

#include "port/nrf52/nrf52.h"

#define RTC_START      REG32(BOARD_TIMER_BASE + 0x000)
#define RTC_CLEAR      REG32(BOARD_TIMER_BASE + 0x008)
#define RTC_COMPARE(n) REG32(BOARD_TIMER_BASE + 0x140 + 4 * (n))
#define RTC_INTENSET   REG32(BOARD_TIMER_BASE + 0x304)
#define RTC_COUNTER    REG32(BOARD_TIMER_BASE + 0x504)
#define RTC_PRESCALER  REG32(BOARD_TIMER_BASE + 0x508)
#define RTC_CC(n)      REG32(BOARD_TIMER_BASE + 0x540 + 4 * (n))

#define COUNTER_MASK   0xFFFFFFu
#define INT_COMPARE(n) (1u << (16 + (n)))

/* Compare registers 1 and 2; register 0 is the alarm's. Far from 0, where the count starts. */
#define FIRST_LOOK  0x400000u
#define SECOND_LOOK 0xC00000u

_Static_assert(BOARD_TIMER_HZ == 32768, "the low-frequency clock, not divided");

static volatile uint32_t looked_at;

void clock_start(void)
{
    while ((CLOCK_LFCLKSTAT & CLOCKSTAT_RUNNING) == 0) {
    }
    RTC_PRESCALER = 0;
    RTC_CC(1) = FIRST_LOOK;
    RTC_CC(2) = SECOND_LOOK;
    RTC_INTENSET = INT_COMPARE(1) | INT_COMPARE(2);
    RTC_CLEAR = 1;
    RTC_START = 1;
    nvic_enable(BOARD_ALARM_IRQ);
}

/* The last look is read before the count, so that an interrupt between the two does no harm. */
uint32_t clock_ticks(void)
{
    uint32_t before = looked_at;
    return before + ((RTC_COUNTER - before) & COUNTER_MASK);
}

void nrf52_clock_isr(void)
{
    CLEAR_EVENT(RTC_COMPARE(1));
    CLEAR_EVENT(RTC_COMPARE(2));
    looked_at = clock_ticks();
}

/* Of a program without alarms; those that have some bring alarm.c. */
__attribute__((weak)) void cortexm_alarm_isr(void)
{
    nrf52_clock_isr();
}
