/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/alarm.h with a compare register of TIMER0 (nRF51 Series Reference Manual 3.0, chapter 18),
 * which is the clock as well.
 */
#include "hal/alarm.h"

#include <stdbool.h>

#include "gen/board_config.h"
#include "hal/clock.h"
#include "port/cortexm/cortexm.h"

#define TIMER_COMPARE_1 REG32(BOARD_TIMER_BASE + 0x144)
#define TIMER_INTENSET  REG32(BOARD_TIMER_BASE + 0x304)
#define TIMER_INTENCLR  REG32(BOARD_TIMER_BASE + 0x308)
#define TIMER_CC_1      REG32(BOARD_TIMER_BASE + 0x544)

#define INT_COMPARE_1 (1u << 17)

static volatile bool is_set;

/* The comparison is for equality: what has passed before it was set up never comes again, so the
 * clock is looked at once more. */
void alarm_set(uint32_t ticks)
{
    alarm_cancel();
    TIMER_CC_1 = ticks;
    TIMER_COMPARE_1 = 0;
    is_set = true;
    TIMER_INTENSET = INT_COMPARE_1;
    nvic_enable(BOARD_ALARM_IRQ);
    if ((int32_t)(ticks - clock_ticks()) <= 0) {
        nvic_pend(BOARD_ALARM_IRQ);
    }
}

void alarm_cancel(void)
{
    is_set = false;
    TIMER_INTENCLR = INT_COMPARE_1;
    nvic_forget(BOARD_ALARM_IRQ);
}

/* May come twice for one alarm, by the timer and by alarm_set(). */
void cortexm_alarm_isr(void)
{
    TIMER_INTENCLR = INT_COMPARE_1;
    TIMER_COMPARE_1 = 0;
    if (is_set) {
        is_set = false;
        alarm_on_ring();
    }
}
