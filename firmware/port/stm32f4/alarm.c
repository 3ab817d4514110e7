/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/alarm.h with compare channel 1 of TIM2 (RM0090, chapter 18), which is the clock as well.
 */
#include "hal/alarm.h"

#include "hal/clock.h"
#include "port/stm32f4/stm32f4.h"

static volatile bool is_set;
static volatile uint32_t due;

static bool is_due(void)
{
    return (int32_t)(due - clock_ticks()) <= 0;
}

static void forget(void)
{
    TIM_DIER(BOARD_TIMER_BASE) = 0;
    TIM_SR(BOARD_TIMER_BASE) = ~SR_CC1IF;
}

/* The comparison is for equality: what has passed before it was set up never comes again, so the
 * clock is looked at once more. */
static void wait_for(uint32_t ticks)
{
    TIM_CCR1(BOARD_TIMER_BASE) = ticks;
    TIM_SR(BOARD_TIMER_BASE) = ~SR_CC1IF;
    TIM_DIER(BOARD_TIMER_BASE) = DIER_CC1IE;
    if (is_due()) {
        nvic_pend(BOARD_ALARM_IRQ);
    }
}

void alarm_set(uint32_t ticks)
{
    alarm_cancel();
    due = ticks;
    is_set = true;
    nvic_enable(BOARD_ALARM_IRQ);
    wait_for(ticks);
}

void alarm_cancel(void)
{
    is_set = false;
    forget();
    nvic_forget(BOARD_ALARM_IRQ);
}

/* May come twice for one alarm, by the timer and by whoever looked at the clock. */
void cortexm_alarm_isr(void)
{
    forget();
    if (is_set && is_due()) {
        is_set = false;
        alarm_on_ring();
    } else if (is_set) {
        wait_for(due);
    }
}
