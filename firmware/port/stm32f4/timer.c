/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/clock.h with TIM2 (RM0090, chapter 18), 32 bits wide, counting microseconds. It stands still
 * in Stop, and so does SysTick: deep.c adds what the slow clock has counted meanwhile.
 */
#include "hal/clock.h"

#include "port/stm32f4/stm32f4.h"

_Static_assert(APB1_TIMER_HZ % BOARD_TIMER_HZ == 0, "the prescaler divides by whole numbers");
_Static_assert(APB1_TIMER_HZ / BOARD_TIMER_HZ <= 0x10000, "of 16 bits");

void clock_start(void)
{
    stm32_clock_on(&RCC_APB1ENR, APB1ENR_TIM2EN);
    TIM_PSC(BOARD_TIMER_BASE) = APB1_TIMER_HZ / BOARD_TIMER_HZ - 1;
    TIM_ARR(BOARD_TIMER_BASE) = UINT32_MAX;
    TIM_EGR(BOARD_TIMER_BASE) = EGR_UG; /* the prescaler takes effect, the count is 0 */
    TIM_CR1(BOARD_TIMER_BASE) = CR1_CEN;
}

uint32_t clock_ticks(void)
{
    return TIM_CNT(BOARD_TIMER_BASE);
}

static bool has_alarm(void)
{
    return (TIM_DIER(BOARD_TIMER_BASE) & DIER_CC1IE) != 0;
}

uint32_t timer_alarm_ahead(void)
{
    int32_t ahead = (int32_t)(TIM_CCR1(BOARD_TIMER_BASE) - clock_ticks());
    if (!has_alarm()) {
        return UINT32_MAX;
    }
    return ahead > 0 ? (uint32_t)ahead : 0;
}

void timer_pause(void)
{
    TIM_CR1(BOARD_TIMER_BASE) = 0;
}

/* An alarm that was jumped over is not equal any more, and would not ring. */
void timer_resume(uint32_t ticks)
{
    TIM_CNT(BOARD_TIMER_BASE) += ticks;
    if (timer_alarm_ahead() == 0) {
        nvic_pend(BOARD_ALARM_IRQ);
    }
    TIM_CR1(BOARD_TIMER_BASE) = CR1_CEN;
}
