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

/* QEMU 7.2 that skips idle time (-icount sleep=off) takes a periodic timer that is alone for two
 * periods: SysTick, whose wraps are counted, must not be the next one to come. */
#define LONGEST (1u << 23)

_Static_assert(BOARD_TIMER_HZ % BOARD_ALARM_HZ == 0, "a count is whole ticks of the clock");
_Static_assert(BOARD_ALARM_HZ >= 2000, "alarms are late by up to two counts");

static volatile uint32_t due;

/* Counting begins after the clock was read, so that a time which has passed meanwhile is not
 * missed. What the division drops is one more count. At 0 the timer stops. */
static void start(void)
{
    int32_t ahead = (int32_t)(due - clock_ticks());
    uint32_t ticks = ahead > 0 ? (uint32_t)ahead : 0;
    TIMER_RELOAD = 0;
    TIMER_VALUE = (ticks < LONGEST ? ticks : LONGEST) / TICKS_PER_COUNT + 1;
    TIMER_CTRL = CTRL_EN | CTRL_INTEN;
}

void alarm_set(uint32_t ticks)
{
    alarm_cancel();
    due = ticks;
    start();
    nvic_enable(BOARD_ALARM_IRQ);
}

void alarm_cancel(void)
{
    TIMER_CTRL = 0;
    TIMER_INTCLEAR = 1;
    nvic_forget(BOARD_ALARM_IRQ);
}

/* The first count may have been a short one. */
void cortexm_alarm_isr(void)
{
    TIMER_CTRL = 0;
    TIMER_INTCLEAR = 1;
    if ((int32_t)(due - clock_ticks()) > 0) {
        start();
    } else {
        alarm_on_ring();
    }
}
