/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/watchdog.h with two counters. TIM7 (RM0090, chapter 20) keeps the time, and its interrupt
 * leaves word of where the firmware hung, then resets. Where interrupts are masked the IWDG
 * (chapter 21) resets without a word: at least 10 % later, for its clock is anything from 17 to 47
 * kHz (data sheet DS8626, LSI oscillator characteristics). The IWDG cannot be stopped: a watchdog
 * that was stopped goes on with the longest time and is fed by every sleep.
 */
#include "hal/watchdog.h"

#include "port/stm32f4/stm32f4.h"

#define TIM7     0x40001400u
#define TIM7_IRQ (BOARD_WATCHDOG_EXCEPTION - 16)

#define IWDG_KR  REG32(BOARD_WATCHDOG_BASE + 0x00)
#define IWDG_PR  REG32(BOARD_WATCHDOG_BASE + 0x04)
#define IWDG_RLR REG32(BOARD_WATCHDOG_BASE + 0x08)
#define IWDG_SR  REG32(BOARD_WATCHDOG_BASE + 0x0C)

#define KR_FEED  0xAAAAu
#define KR_OPEN  0x5555u
#define KR_START 0xCCCCu
#define PR_256   6u /* 0 after reset: so it is known whether it runs */
#define SR_BUSY  3u /* PVU, RVU */

#define LONGEST_MS  20000u /* of 4095 counts of the fastest clock, with 10 % on top */
#define COUNTS(ms)  ((ms) * 47 / 256 * 11 / 10 + 2)
#define BUSY_TRIES  100000u /* 5 cycles of the slowest clock are 300 us */
#define SLOW_COUNTS 12u     /* sixteenths of the slow clock, 3/4 of a count of 256 */
#define SLOW_MOST   0x10000u

_Static_assert(BOARD_WATCHDOG_HZ == 2000, "TIM7, the slowest in whole milliseconds");
_Static_assert(BOARD_WATCHDOG_TRIAL_MS <= LONGEST_MS && COUNTS(LONGEST_MS) <= 4095, "see above");

static bool is_stopped;

static bool is_running(void)
{
    return (TIM_DIER(TIM7) & DIER_UIE) != 0;
}

static void start_timer(uint32_t milliseconds)
{
    stm32_clock_on(&RCC_APB1ENR, APB1ENR_TIM7EN);
    TIM_CR1(TIM7) = 0;
    TIM_DIER(TIM7) = 0;
    TIM_PSC(TIM7) = APB1_TIMER_HZ / BOARD_WATCHDOG_HZ - 1;
    TIM_ARR(TIM7) = milliseconds * (BOARD_WATCHDOG_HZ / 1000) - 1;
    TIM_EGR(TIM7) = EGR_UG; /* prescaler and end take effect, the count is 0 */
    TIM_SR(TIM7) = 0;
    nvic_forget(TIM7_IRQ);
    TIM_DIER(TIM7) = DIER_UIE;
    nvic_enable(TIM7_IRQ);
    TIM_CR1(TIM7) = CR1_CEN;
}

/* What is written arrives some cycles of its own clock later; what was written before has. */
static void start_iwdg(uint32_t milliseconds)
{
    IWDG_KR = KR_START;
    IWDG_KR = KR_OPEN;
    IWDG_PR = PR_256;
    IWDG_RLR = COUNTS(milliseconds);
    for (uint32_t i = 0; (IWDG_SR & SR_BUSY) != 0 && i < BUSY_TRIES; i++) {
    }
    IWDG_KR = KR_FEED;
}

void watchdog_start(uint32_t milliseconds)
{
    is_stopped = false;
    start_timer(milliseconds);
    start_iwdg(milliseconds);
}

void watchdog_feed(void)
{
    IWDG_KR = KR_FEED;
    if (is_running()) {
        TIM_CNT(TIM7) = 0;
        TIM_SR(TIM7) = 0;
        (void)TIM_SR(TIM7); /* its interrupt is down before it is forgotten */
        nvic_forget(TIM7_IRQ);
    }
}

/* One that never ran needs nothing: a reset stops it, too. */
void watchdog_stop(void)
{
    if (is_running()) {
        watchdog_start(LONGEST_MS);
        is_stopped = true;
    }
}

void watchdog_woke(void)
{
    if (is_stopped) {
        watchdog_feed();
    }
}

uint32_t watchdog_ticks_ahead(void)
{
    if (!is_running() || is_stopped) {
        return UINT32_MAX;
    }
    return (TIM_ARR(TIM7) - TIM_CNT(TIM7)) * (BOARD_TIMER_HZ / BOARD_WATCHDOG_HZ);
}

uint32_t watchdog_slow_ahead(void)
{
    uint32_t counts = IWDG_PR == PR_256 ? IWDG_RLR * SLOW_COUNTS : SLOW_MOST;
    return counts < SLOW_MOST ? counts : SLOW_MOST;
}

void watchdog_before_stop(void)
{
    IWDG_KR = KR_FEED;
    if (is_running()) { /* otherwise it may be without a clock */
        TIM_CR1(TIM7) = 0;
    }
}

/* What has passed asleep counts; the timer takes an interrupt that is due with its next count. */
void watchdog_after_stop(uint32_t ticks)
{
    IWDG_KR = KR_FEED;
    if (!is_running()) {
        return;
    }
    uint32_t count = TIM_CNT(TIM7) + ticks / (BOARD_TIMER_HZ / BOARD_WATCHDOG_HZ);
    TIM_CNT(TIM7) = count < TIM_ARR(TIM7) ? count : TIM_ARR(TIM7);
    TIM_CR1(TIM7) = CR1_CEN;
    watchdog_woke();
}
