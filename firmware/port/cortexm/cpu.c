/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/cpu.h for every Cortex-M; how it sleeps is in sleep.c, how it
 * resets in reset.c.
 */
#include "hal/cpu.h"

#include "port/cortexm/cortexm.h"

uint32_t cpu_irq_disable(void)
{
    uint32_t primask;
    __asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(primask)::"memory");
    return primask;
}

void cpu_irq_restore(uint32_t state)
{
    __asm volatile("msr primask, %0" ::"r"(state) : "memory");
}

void cpu_irq_enable(void)
{
    __asm volatile("cpsie i" ::: "memory");
}
