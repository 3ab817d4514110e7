/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * chip.h of the STM32F407: 168 MHz from the crystal of 8 MHz (RM0090: 7 RCC, 3.5 flash wait states,
 * 5.1.3 voltage regulator, 38.6 DBGMCU; data sheet DS8626, general operating conditions). If the
 * crystal does not start, from the internal oscillator, which is as fast but 1 % off. Runs again
 * after Stop, which leaves the chip on the internal oscillator (RM0090, 5.3.5).
 */
#include "port/bare/chip.h"

#include "port/stm32f4/stm32f4.h"

#define CR_HSION  (1u << 0)
#define CR_HSIRDY (1u << 1)
#define CR_HSEON  (1u << 16)
#define CR_HSERDY (1u << 17)
#define CR_PLLON  (1u << 24)
#define CR_PLLRDY (1u << 25)

/* 1 MHz to the PLL, times 336, over 2; over 7 for USB, which must not be faster than 48 MHz. */
#define PLLCFGR_M_HSE   8u
#define PLLCFGR_M_HSI   16u
#define PLLCFGR_N       (336u << 6)
#define PLLCFGR_P_2     (0u << 16)
#define PLLCFGR_SRC_HSE (1u << 22)
#define PLLCFGR_Q       (7u << 24)

#define CFGR_SW_PLL    (2u << 0)
#define CFGR_SWS       (3u << 2)
#define CFGR_SWS_PLL   (2u << 2)
#define CFGR_PPRE1_4   (5u << 10) /* APB1: 42 MHz, its timers 84 */
#define CFGR_PPRE2_2   (4u << 13) /* APB2: 84 MHz */
#define CFGR_BUS_CLOCK (0x3Fu << 10 | 0xFu << 4)

#define FLASH_ACR     REG32(0x40023C00u)
#define ACR_LATENCY_5 5u /* wait states, at 2.7 to 3.6 V */
#define ACR_PRFTEN    (1u << 8)
#define ACR_ICEN      (1u << 9)
#define ACR_DCEN      (1u << 10)

#define DBGMCU_IDCODE  REG32(0xE0042000u)
#define DBGMCU_APB1_FZ REG32(0xE0042008u)
#define IDCODE_REV_ID  16
#define REV_A          0x1000u
#define FZ_TIM7_STOP   (1u << 5)
#define FZ_IWDG_STOP   (1u << 12)

/* A reading of RCC_CR and the loop around it take more than four cycles of 16 MHz: 100 ms at least,
 * where a crystal takes 2 (DS8626, HSE oscillator characteristics). */
#define CRYSTAL_TRIES 400000u

static bool is_without_crystal; /* so that it is waited for once only */

/* Revision A must not prefetch (errata sheet ES0182, "ART Accelerator prefetch queue instruction is
 * not supported"). */
static void set_up_flash(void)
{
    bool prefetches = DBGMCU_IDCODE >> IDCODE_REV_ID > REV_A;
    FLASH_ACR = ACR_LATENCY_5 | ACR_ICEN | ACR_DCEN | (prefetches ? ACR_PRFTEN : 0);
    (void)FLASH_ACR;
}

static bool start_crystal(void)
{
    if (!is_without_crystal) {
        RCC_CR |= CR_HSEON;
        is_without_crystal = !stm32_becomes(&RCC_CR, CR_HSERDY, CRYSTAL_TRIES);
    }
    if (is_without_crystal) {
        RCC_CR &= ~CR_HSEON;
    }
    return !is_without_crystal;
}

/* Only while the PLL is off its settings, and the voltage that goes with them, can be changed. */
static void start_pll(bool has_crystal)
{
    RCC_CR |= CR_HSION;
    while ((RCC_CR & CR_HSIRDY) == 0) {
    }
    PWR_CR |= PWR_CR_VOS;
    RCC_PLLCFGR = PLLCFGR_N | PLLCFGR_P_2 | PLLCFGR_Q |
                  (has_crystal ? PLLCFGR_SRC_HSE | PLLCFGR_M_HSE : PLLCFGR_M_HSI);
    RCC_CR |= CR_PLLON;
    while ((RCC_CR & CR_PLLRDY) == 0) {
    }
}

/* While a debugger halts the CPU the watchdogs wait. */
static void set_up_debugging(void)
{
    DBGMCU_APB1_FZ |= FZ_TIM7_STOP | FZ_IWDG_STOP;
}

void chip_start(void)
{
    if ((RCC_CFGR & CFGR_SWS) == CFGR_SWS_PLL) {
        return;
    }
    stm32_clock_on(&RCC_APB1ENR, APB1ENR_PWREN);
    set_up_debugging();
    set_up_flash();
    start_pll(start_crystal());
    RCC_CFGR = (RCC_CFGR & ~CFGR_BUS_CLOCK) | CFGR_PPRE1_4 | CFGR_PPRE2_2;
    RCC_CFGR |= CFGR_SW_PLL;
    while ((RCC_CFGR & CFGR_SWS) != CFGR_SWS_PLL) {
    }
}
