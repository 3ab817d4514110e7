/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The slow clock that goes on in Stop: the RTC (RM0090, chapter 26) on the internal oscillator LSI,
 * for the board has no crystal of 32 kHz. LSI is anything from 17 to 47 kHz (data sheet DS8626) and
 * drifts with the temperature: TIM5 measures it, whose channel 4 can look at it (RM0090, 7.2.11
 * and 18.4.21), at the first sleep and every minute.
 */
#include "hal/clock.h"
#include "port/stm32f4/stm32f4.h"

#define RTC_BASE 0x40002800u
#define RTC_TR   REG32(RTC_BASE + 0x00)
#define RTC_CR   REG32(RTC_BASE + 0x08)
#define RTC_ISR  REG32(RTC_BASE + 0x0C)
#define RTC_PRER REG32(RTC_BASE + 0x10)
#define RTC_WUTR REG32(RTC_BASE + 0x14)
#define RTC_WPR  REG32(RTC_BASE + 0x24)
#define RTC_SSR  REG32(RTC_BASE + 0x28)

#define BDCR_RTCSEL     (3u << 8)
#define BDCR_RTCSEL_LSI (2u << 8)
#define BDCR_RTCEN      (1u << 15)
#define BDCR_BDRST      (1u << 16)
#define CR_BYPSHAD      (1u << 5)
#define CR_WUTE         (1u << 10)
#define CR_WUTIE        (1u << 14)
#define ISR_WUTWF       (1u << 2)
#define ISR_INITF       (1u << 6)
#define ISR_INIT        (1u << 7)
#define ISR_WUTF        (1u << 10)
#define ISR_FLAGS       0x7F00u /* a 0 written clears */
#define WPR_KEY_1       0xCAu
#define WPR_KEY_2       0x53u

#define SECOND    32768u /* of the slow clock: 2^15 of its cycles */
#define MINUTE    (60u * SECOND)
#define LONGEST   0x10000u /* sixteenths that the wake-up timer can count */
#define WAKE_LINE (1u << 22)
#define WAKE_IRQ  3u /* RTC_WKUP */

#define TIM5           0x40000C00u
#define TIM5_CCMR2     REG32(TIM5 + 0x1C)
#define TIM5_CCER      REG32(TIM5 + 0x20)
#define TIM5_CCR4      REG32(TIM5 + 0x40)
#define TIM5_OR        REG32(TIM5 + 0x50)
#define CCMR2_CC4S_TI4 (1u << 8)
#define CCMR2_IC4PSC_8 (3u << 10) /* every eighth edge */
#define CCER_CC4E      (1u << 12)
#define SR_CC4IF       (1u << 4)
#define OR_TI4_LSI     (1u << 6)

#define CYCLES      64u    /* that are measured, 8 captures */
#define NOMINAL_HZ  32000u /* where nothing can be measured: emulators */
#define TRIES       20000u /* 8 cycles of 17 kHz are half a millisecond */
#define CALIBRATION (60u * BOARD_TIMER_HZ)
#define FAST        (APB1_TIMER_HZ / BOARD_TIMER_HZ)

static enum { UNKNOWN, GOOD, BAD } state;
static bool is_measured;
static uint32_t measured_at;
static uint32_t span = APB1_TIMER_HZ / NOMINAL_HZ * CYCLES; /* fast cycles of that many slow ones */

/* RTC and its clock are in the backup domain: another firmware may have chosen another clock, which
 * only a reset of the domain takes back. DBP is read back: it takes effect some cycles late (errata
 * sheet ES0182, "Possible delay in backup domain protection disabling/enabling after programming
 * the DBP bit"). */
static bool choose_clock(void)
{
    stm32_clock_on(&RCC_APB1ENR, APB1ENR_PWREN);
    PWR_CR |= PWR_CR_DBP;
    (void)PWR_CR;
    RCC_CSR |= CSR_LSION;
    if (!stm32_becomes(&RCC_CSR, CSR_LSIRDY, TRIES)) {
        return false;
    }
    if ((RCC_BDCR & BDCR_RTCSEL) != BDCR_RTCSEL_LSI) {
        RCC_BDCR = BDCR_BDRST;
        RCC_BDCR = 0;
        RCC_BDCR = BDCR_RTCSEL_LSI;
    }
    RCC_BDCR |= BDCR_RTCEN;
    return true;
}

/* Every cycle of the slow clock counts. The calendar is read itself, not its shadow, which lags
 * behind after Stop (26.3.6). The two parts of PRER take two stores (26.3.5). */
static bool open(void)
{
    RTC_WPR = WPR_KEY_1;
    RTC_WPR = WPR_KEY_2;
    RTC_ISR = ISR_INIT;
    if (!stm32_becomes(&RTC_ISR, ISR_INITF, TRIES)) {
        return false;
    }
    RTC_PRER = 0x7F0000 | (SECOND - 1);
    RTC_PRER = SECOND - 1;
    RTC_CR = CR_BYPSHAD;
    RTC_ISR = 0;
    return true;
}

static bool capture(uint32_t *count)
{
    if (!stm32_becomes(&TIM_SR(TIM5), SR_CC4IF, TRIES)) {
        return false;
    }
    *count = TIM5_CCR4; /* clears the flag */
    return true;
}

static bool capture_span(void)
{
    uint32_t first;
    uint32_t last = 0;
    bool good = capture(&first) && capture(&first);
    for (uint32_t i = 0; good && i < CYCLES / 8; i++) {
        good = capture(&last);
    }
    if (good) {
        span = last - first;
    }
    return good;
}

/* The first capture may be an old one. */
static void measure(void)
{
    stm32_clock_on(&RCC_APB1ENR, APB1ENR_TIM5EN);
    TIM_PSC(TIM5) = 0;
    TIM_ARR(TIM5) = UINT32_MAX;
    TIM5_OR = OR_TI4_LSI;
    TIM5_CCMR2 = CCMR2_CC4S_TI4 | CCMR2_IC4PSC_8;
    TIM5_CCER = CCER_CC4E;
    TIM_CR1(TIM5) = CR1_CEN;
    is_measured = capture_span();
    TIM_CR1(TIM5) = 0;
    TIM5_CCER = 0;
    measured_at = clock_ticks();
}

bool rtc_start(void)
{
    if (state == UNKNOWN) {
        state = choose_clock() && open() ? GOOD : BAD;
        measure();
    } else if (is_measured && clock_ticks() - measured_at > CALIBRATION) {
        measure();
    }
    return state == GOOD;
}

/* The seconds are in BCD; SSR counts down. Both are read again until nothing has changed between.
 */
uint32_t rtc_count(void)
{
    uint32_t fraction;
    uint32_t time;
    do {
        fraction = RTC_SSR;
        time = RTC_TR;
    } while (fraction != RTC_SSR);
    uint32_t seconds = (time >> 4 & 7) * 10 + (time & 0xF);
    return seconds * SECOND + (SECOND - 1 - fraction);
}

uint32_t rtc_ticks_between(uint32_t from, uint32_t to)
{
    uint32_t cycles = (to + MINUTE - from) % MINUTE;
    return (uint32_t)((uint64_t)cycles * span / (CYCLES * FAST));
}

void rtc_wake_in(uint32_t ticks, uint32_t most)
{
    uint64_t wanted = (uint64_t)ticks * FAST * (CYCLES / 16) / span;
    uint32_t limit = most < LONGEST ? most : LONGEST;
    uint32_t sixteenths = wanted < limit ? (uint32_t)wanted : limit;
    rtc_wake_cancel();
    (void)stm32_becomes(&RTC_ISR, ISR_WUTWF, TRIES);
    RTC_WUTR = sixteenths > 0 ? sixteenths - 1 : 0;
    RTC_CR = CR_BYPSHAD | CR_WUTIE | CR_WUTE;
    EXTI_RTSR |= WAKE_LINE;
    EXTI_IMR |= WAKE_LINE;
    nvic_enable(WAKE_IRQ);
}

void rtc_wake_cancel(void)
{
    RTC_CR = CR_BYPSHAD;
    RTC_ISR = ISR_FLAGS & ~ISR_WUTF;
    stm32_line_off(WAKE_LINE, WAKE_IRQ);
}
