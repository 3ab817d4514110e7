/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/alarm.h with the first comparator of the system timer, which is the clock too (TRM, System
 * Timer). In its one-shot mode it alarms from the moment on that the count is not below the target:
 * a target that is past alarms at once.
 */
#include "hal/alarm.h"

#include "hal/clock.h"
#include "port/esp32c3/esp32c3.h"

#define SYSTIMER_CONF           REG32(BOARD_TIMER_BASE + 0x00)
#define SYSTIMER_TARGET0_HI     REG32(BOARD_TIMER_BASE + 0x1C)
#define SYSTIMER_TARGET0_LO     REG32(BOARD_TIMER_BASE + 0x20)
#define SYSTIMER_TARGET0_CONF   REG32(BOARD_TIMER_BASE + 0x34)
#define SYSTIMER_UNIT0_VALUE_HI REG32(BOARD_TIMER_BASE + 0x40)
#define SYSTIMER_UNIT0_VALUE_LO REG32(BOARD_TIMER_BASE + 0x44)
#define SYSTIMER_COMP0_LOAD     REG32(BOARD_TIMER_BASE + 0x50)
#define SYSTIMER_INT_ENA        REG32(BOARD_TIMER_BASE + 0x64)
#define SYSTIMER_INT_CLR        REG32(BOARD_TIMER_BASE + 0x6C)

#define CONF_TARGET0_WORK_EN (1u << 24)
#define TARGET0              (1u << 0)
#define ONE_SHOT_OF_UNIT0    0u

static void esp32c3_alarm_isr(void)
{
    alarm_cancel();
    alarm_on_ring();
}

/* All 52 bits. clock_ticks() has just latched them; an interrupt that latches them again does no
 * harm but between the two halves. */
static uint64_t time_now(void)
{
    uint32_t high;
    uint32_t low;
    do {
        clock_ticks();
        high = SYSTIMER_UNIT0_VALUE_HI;
        low = SYSTIMER_UNIT0_VALUE_LO;
    } while (SYSTIMER_UNIT0_VALUE_HI != high);
    return (uint64_t)high << 32 | low;
}

void alarm_set(uint32_t ticks)
{
    alarm_cancel();
    int32_t ahead = (int32_t)(ticks - clock_ticks()); /* first, for it must not be early */
    uint64_t due = time_now() + (ahead > 0 ? (uint32_t)ahead : 0);
    SYSTIMER_TARGET0_CONF = ONE_SHOT_OF_UNIT0;
    SYSTIMER_TARGET0_HI = (uint32_t)(due >> 32);
    SYSTIMER_TARGET0_LO = (uint32_t)due;
    SYSTIMER_COMP0_LOAD = 1;
    SYSTIMER_CONF = SYSTIMER_CONF | CONF_TARGET0_WORK_EN;
    interrupt_connect(BOARD_ALARM_IRQ, LINE_ALARM, esp32c3_alarm_isr);
    SYSTIMER_INT_ENA = TARGET0;
}

void alarm_cancel(void)
{
    SYSTIMER_INT_ENA = 0;
    SYSTIMER_CONF = SYSTIMER_CONF & ~CONF_TARGET0_WORK_EN;
    SYSTIMER_INT_CLR = TARGET0;
}
