/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/alarm.h with a compare register of the RTC that is the clock (PS v1.11, chapter RTC). The
 * comparison is for equality, and sure only for what is two ticks ahead or more: what is nearer, or
 * past, rings three ticks from now (92 us), so that the count may go on by one meanwhile. It looks
 * at 24 bits of the time: the interrupt looks at the rest.
 */
#include "hal/alarm.h"

#include "hal/clock.h"
#include "hal/cpu.h"
#include "port/nrf52/nrf52.h"

#define RTC_COMPARE_0 REG32(BOARD_TIMER_BASE + 0x140)
#define RTC_INTENSET  REG32(BOARD_TIMER_BASE + 0x304)
#define RTC_INTENCLR  REG32(BOARD_TIMER_BASE + 0x308)
#define RTC_CC_0      REG32(BOARD_TIMER_BASE + 0x540)

#define INT_COMPARE_0 (1u << 16)
#define CC_MASK       0xFFFFFFu
#define SOONEST       3

static volatile bool is_set;
static volatile uint32_t due;

static int32_t ticks_ahead(void)
{
    return (int32_t)(due - clock_ticks());
}

/* With interrupts disabled: nothing comes between looking at the clock and setting the register. */
static void compare(void)
{
    uint32_t now = clock_ticks();
    uint32_t at = (int32_t)(due - now) < SOONEST ? now + SOONEST : due;
    RTC_CC_0 = at & CC_MASK;
}

void alarm_set(uint32_t ticks)
{
    uint32_t irq = cpu_irq_disable();
    due = ticks;
    is_set = true;
    CLEAR_EVENT(RTC_COMPARE_0);
    compare();
    RTC_INTENSET = INT_COMPARE_0;
    cpu_irq_restore(irq);
}

/* The clock's share in the interrupt stays: at most it is called for nothing. */
void alarm_cancel(void)
{
    is_set = false;
    RTC_INTENCLR = INT_COMPARE_0;
    CLEAR_EVENT(RTC_COMPARE_0);
}

/* Comes for the clock too, for what the register held before, and each time its 24 bits fit. */
void cortexm_alarm_isr(void)
{
    nrf52_clock_isr();
    CLEAR_EVENT(RTC_COMPARE_0);
    if (!is_set) {
        return;
    }
    if (ticks_ahead() > 0) {
        compare();
        return;
    }
    is_set = false;
    RTC_INTENCLR = INT_COMPARE_0;
    alarm_on_ring();
}
