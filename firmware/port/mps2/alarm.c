/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/alarm.h with the CMSDK APB timer (Arm DDI 0479, Cortex-M System Design Kit, 4.1), which
 * counts down, by a clock that may be slower than that of hal/clock.h.
 */
#include "hal/alarm.h"

#include "gen/board_config.h"
#include "hal/clock.h"
#include "port/cortexm/cortexm.h"

#define TIMER_CTRL     REG32(BOARD_ALARM_BASE + 0x00)
#define TIMER_VALUE    REG32(BOARD_ALARM_BASE + 0x04)
#define TIMER_RELOAD   REG32(BOARD_ALARM_BASE + 0x08)
#define TIMER_INTCLEAR REG32(BOARD_ALARM_BASE + 0x0C)

#define CTRL_EN    (1u << 0)
#define CTRL_INTEN (1u << 3)

#define TICKS_PER_COUNT (BOARD_TIMER_HZ / BOARD_ALARM_HZ)

_Static_assert(BOARD_TIMER_HZ % BOARD_ALARM_HZ == 0, "a count is whole ticks of the clock");
_Static_assert(BOARD_ALARM_HZ >= 4000, "alarms are late by up to two counts");

/* The first count may be a short one: one more is waited for, and one for what the division drops.
 * What is counted begins after the clock was read, so a time that has passed meanwhile is not
 * missed. */
void alarm_set(uint32_t ticks)
{
    alarm_cancel();
    int32_t ahead = (int32_t)(ticks - clock_ticks());
    uint32_t counts = (ahead > 0 ? (uint32_t)ahead : 0) / TICKS_PER_COUNT + 2;
    TIMER_RELOAD = counts;
    TIMER_VALUE = counts;
    TIMER_CTRL = CTRL_EN | CTRL_INTEN;
    nvic_enable(BOARD_ALARM_IRQ);
}

void alarm_cancel(void)
{
    TIMER_CTRL = 0;
    TIMER_INTCLEAR = 1;
    nvic_forget(BOARD_ALARM_IRQ);
}

/* The timer would begin anew. */
void cortexm_alarm_isr(void)
{
    TIMER_CTRL = 0;
    TIMER_INTCLEAR = 1;
    alarm_on_ring();
}
