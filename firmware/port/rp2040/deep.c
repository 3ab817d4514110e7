/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cpu_sleep_deep() of the RP2040: SLEEP state, with the PLL off and the clocks of all that is not
 * needed gated (RP2040 Datasheet, 2.11.2, 2.15.3.5). The crystal runs, and with it TIMER, the
 * watchdog and UART0, and edges of pins are seen; each wakes the CPU by its interrupt, and nothing
 * is lost. The DORMANT state, which stops the crystal, would stop the clock too. The state is
 * entered when both cores sleep deeply: core 1 waits so in the ROM.
 */
#include "hal/cpu.h"
#include "port/bare/chip.h"
#include "port/rp2040/rp2040.h"

#define SCR           REG32(0xE000ED10u) /* Arm DDI 0419, B3.2.7 */
#define SCR_SLEEPDEEP (1u << 2)

#define EN0_SYS_IO       (1u << 8)
#define EN1_SYS_TIMER    (1u << 5)
#define EN1_PERI_UART0   (1u << 6)
#define EN1_SYS_UART0    (1u << 7)
#define EN1_SYS_WATCHDOG (1u << 12)
#define EN_ALL           0xFFFFFFFFu

static bool is_pending(void)
{
    return (NVIC_ISPR(0) & NVIC_ISER(0)) != 0;
}

static void sleep_gated(void)
{
    CLOCKS_SLEEP_EN0 = EN0_SYS_IO;
    CLOCKS_SLEEP_EN1 = EN1_SYS_TIMER | EN1_PERI_UART0 | EN1_SYS_UART0 | EN1_SYS_WATCHDOG;
    SCR |= SCR_SLEEPDEEP;
    __asm volatile("dsb\n\twfi\n\tisb" ::: "memory");
    SCR &= ~SCR_SLEEPDEEP;
    CLOCKS_SLEEP_EN0 = EN_ALL;
    CLOCKS_SLEEP_EN1 = EN_ALL;
}

void cpu_sleep_deep(void)
{
    if (is_pending()) {
        return;
    }
    chip_slow();
    sleep_gated();
    chip_start();
}
