/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/cpu.h for every RISC-V core; how to reset it is the port's, for no register of the core does.
 */
#include "hal/cpu.h"

#include "port/riscv/riscv.h"

uint32_t cpu_irq_disable(void)
{
    uint32_t before;
    __asm volatile("csrrc %0, mstatus, %1" : "=r"(before) : "r"(MSTATUS_MIE) : "memory");
    return before & MSTATUS_MIE;
}

void cpu_irq_restore(uint32_t state)
{
    CSR_SET(mstatus, state);
}

void cpu_irq_enable(void)
{
    CSR_SET(mstatus, MSTATUS_MIE);
}

/* WFI ends on a pending interrupt that is enabled in mie, whatever mstatus says (3.3.3). */
void cpu_sleep(void)
{
    __asm volatile("wfi" ::: "memory");
}
