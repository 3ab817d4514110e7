/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What several files of this port share: registers of the STM32F405/407 (RM0090, reference manual:
 * chapters 5 PWR, 7 RCC, 8 GPIO, 9 SYSCFG, 12 EXTI), and calls between them. For this port only.
 */
#ifndef PORT_STM32F4_STM32F4_H
#define PORT_STM32F4_STM32F4_H

#include <stdbool.h>
#include <stdint.h>

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define RCC_BASE    0x40023800u
#define RCC_CR      REG32(RCC_BASE + 0x00)
#define RCC_PLLCFGR REG32(RCC_BASE + 0x04)
#define RCC_CFGR    REG32(RCC_BASE + 0x08)
#define RCC_AHB1ENR REG32(RCC_BASE + 0x30)
#define RCC_APB1ENR REG32(RCC_BASE + 0x40)
#define RCC_APB2ENR REG32(RCC_BASE + 0x44)
#define RCC_BDCR    REG32(RCC_BASE + 0x70)
#define RCC_CSR     REG32(RCC_BASE + 0x74)

#define AHB1ENR_GPIOAEN  (1u << 0)
#define APB1ENR_TIM2EN   (1u << 0)
#define APB1ENR_TIM5EN   (1u << 3)
#define APB1ENR_TIM7EN   (1u << 5)
#define APB1ENR_USART2EN (1u << 17)
#define APB1ENR_PWREN    (1u << 28)
#define APB2ENR_SYSCFGEN (1u << 14)
#define CSR_LSION        (1u << 0)
#define CSR_LSIRDY       (1u << 1)

#define PWR_CR      REG32(0x40007000u)
#define PWR_CR_LPDS (1u << 0) /* the regulator saves power in Stop */
#define PWR_CR_PDDS (1u << 1) /* Standby instead of Stop */
#define PWR_CR_CWUF (1u << 2) /* write: forgets what woke it */
#define PWR_CR_DBP  (1u << 8) /* the backup domain, RTC and RCC_BDCR, can be written */
#define PWR_CR_FPDS (1u << 9) /* the flash is off in Stop */
#define PWR_CR_VOS  (1u << 14)

#define GPIOA_BASE  0x40020000u
#define GPIOA_MODER REG32(GPIOA_BASE + 0x00) /* two bits a pin */
#define GPIOA_PUPDR REG32(GPIOA_BASE + 0x0C) /* two bits a pin */
#define GPIOA_AFRL  REG32(GPIOA_BASE + 0x20) /* four bits a pin, pins 0 .. 7 */

#define MODER_INPUT     0u
#define MODER_ALTERNATE 2u
#define PUPDR_UP        1u

#define SYSCFG_EXTICR1 REG32(0x40013808u) /* four bits a line, lines 0 .. 3; 0: port A */

#define EXTI_BASE 0x40013C00u
#define EXTI_IMR  REG32(EXTI_BASE + 0x00)
#define EXTI_RTSR REG32(EXTI_BASE + 0x08)
#define EXTI_FTSR REG32(EXTI_BASE + 0x0C)
#define EXTI_PR   REG32(EXTI_BASE + 0x14) /* a 1 written clears */

#define TIM_CR1(base)  REG32((base) + 0x00)
#define TIM_DIER(base) REG32((base) + 0x0C)
#define TIM_SR(base)   REG32((base) + 0x10) /* a 0 written clears */
#define TIM_EGR(base)  REG32((base) + 0x14)
#define TIM_CNT(base)  REG32((base) + 0x24)
#define TIM_PSC(base)  REG32((base) + 0x28)
#define TIM_ARR(base)  REG32((base) + 0x2C)
#define TIM_CCR1(base) REG32((base) + 0x34)

#define CR1_CEN    (1u << 0)
#define DIER_UIE   (1u << 0)
#define DIER_CC1IE (1u << 1)
#define SR_UIF     (1u << 0)
#define SR_CC1IF   (1u << 1)
#define EGR_UG     (1u << 0)

/* Of the timers on APB1: twice that of the bus, which is divided (RM0090, 7.2, clock tree). */
#define APB1_TIMER_HZ 84000000u

/* Switches the clock of a peripheral on. The register is read back: the clock comes some cycles
 * late (errata sheet ES0182, "Delay after an RCC peripheral clock enabling"). */
static inline void stm32_clock_on(volatile uint32_t *enable, uint32_t bit)
{
    *enable |= bit;
    (void)*enable;
}

/* Waits until a bit is set, for at most `tries` readings. */
static inline bool stm32_becomes(const volatile uint32_t *reg, uint32_t bit, uint32_t tries)
{
    while ((*reg & bit) == 0) {
        if (tries-- == 0) {
            return false;
        }
    }
    return true;
}

/* Forgets a line of EXTI that woke the chip, and its interrupt, which has no handler: the line is
 * down before the interrupt is forgotten. */
static inline void stm32_line_off(uint32_t line, uint32_t irq)
{
    EXTI_IMR &= ~line;
    EXTI_PR = line;
    (void)EXTI_PR;
    nvic_disable(irq);
    nvic_forget(irq);
}

/* timer.c: stops the count of hal/clock.h, and goes on as if it had counted `ticks` meanwhile. */
void timer_pause(void);
void timer_resume(uint32_t ticks);

/* alarm.c, for programs that have it: ticks until the alarm rings, 0 if it is due, UINT32_MAX if
 * there is none. Others have none either: it looks at the timer, not at variables. */
uint32_t timer_alarm_ahead(void);

/* rtc.c: the slow clock that runs in Stop. False: it does not start. May be called again. */
bool rtc_start(void);

/* What the slow clock has counted, 32768 of its own seconds at most. */
uint32_t rtc_count(void);

/* Ticks of hal/clock.h from one count to another, at most 59 seconds of the slow clock later. */
uint32_t rtc_ticks_between(uint32_t from, uint32_t to);

/* Wakes the chip (EXTI line 22) in `ticks` of hal/clock.h, or after `most` of its own sixteenths,
 * if that is earlier; 1 at least. rtc_wake_cancel() forgets it. */
void rtc_wake_in(uint32_t ticks, uint32_t most);
void rtc_wake_cancel(void);

/* uart.c: waits until the last byte is on the wire. Then the line of received bytes is an input
 * whose falling edge wakes the chip (EXTI line 3), and back. */
void uart_before_stop(void);
void uart_after_stop(void);

/* watchdog.c: for how long the watchdog lets the chip sleep, in ticks of hal/clock.h and in
 * sixteenths of the slow clock, which is its clock too. */
uint32_t watchdog_ticks_ahead(void);
uint32_t watchdog_slow_ahead(void);

/* Around Stop, which keeps the one counter going and stops the other. */
void watchdog_before_stop(void);
void watchdog_after_stop(uint32_t ticks);

/* After a sleep: a watchdog that was stopped goes on, and is fed here. */
void watchdog_woke(void);

#endif
