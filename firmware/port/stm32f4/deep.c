/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cpu_sleep_deep() of the STM32F407: Stop mode with the regulator saving power and the flash off
 * (RM0090, 5.3.5). RAM and registers keep, all clocks but the slow one stand still. EXTI wakes: the
 * line of the pin, that of the UART's received bytes, and the RTC in time for the alarm and for the
 * watchdog, which goes on.
 */
#include "hal/cpu.h"
#include "port/bare/chip.h"
#include "port/stm32f4/stm32f4.h"

#define SCR           REG32(0xE000ED10u) /* Arm DDI 0403, B3.2.7 */
#define SCR_SLEEPDEEP (1u << 2)

/* The crystal takes 2 ms to start again (DS8626), the wake-up timer counts in half milliseconds.
 * Shorter sleeps are not worth it. */
#define EARLY    (BOARD_TIMER_HZ / 1000 * 3)
#define WORTH_IT (2 * EARLY)

static uint32_t ticks_ahead(void)
{
    uint32_t alarm = timer_alarm_ahead();
    uint32_t watchdog = watchdog_ticks_ahead();
    return alarm < watchdog ? alarm : watchdog;
}

/* Interrupts are masked, so that the clocks are as they were before a handler runs. */
static void stop(void)
{
    PWR_CR = (PWR_CR & ~PWR_CR_PDDS) | PWR_CR_LPDS | PWR_CR_FPDS | PWR_CR_CWUF;
    SCR |= SCR_SLEEPDEEP;
    __asm volatile("dsb\n\twfi\n\tisb" ::: "memory");
    SCR &= ~SCR_SLEEPDEEP;
    chip_start();
}

/* Whoever sleeps longer than the watchdogs allow is back in between, with nothing pending. */
void cpu_sleep_deep(void)
{
    if (!rtc_start() || ticks_ahead() < WORTH_IT) {
        cpu_sleep();
        return;
    }
    uart_before_stop();
    rtc_wake_in(ticks_ahead() - EARLY, watchdog_slow_ahead());
    watchdog_before_stop();
    timer_pause();
    uint32_t before = rtc_count();
    stop();
    uint32_t slept = rtc_ticks_between(before, rtc_count());
    timer_resume(slept);
    watchdog_after_stop(slept);
    rtc_wake_cancel();
    uart_after_stop();
}
