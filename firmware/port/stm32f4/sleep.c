/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cpu_sleep() of the STM32F407, in place of the one of every Cortex-M: its watchdog goes on while
 * the CPU sleeps, even when it was stopped.
 */
#include "hal/cpu.h"
#include "port/stm32f4/stm32f4.h"

/* A watchdog that was stopped wakes the CPU some time, and is fed while its interrupt is masked. */
void cpu_sleep(void)
{
    __asm volatile("dsb\n\twfi" ::: "memory");
    watchdog_woke();
}
