/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Traps of a core with the interrupts of the Privileged Architecture (3.1): external ones go to the
 * port, the timer's to the alarm, all else is a fault.
 */
#include "port/riscv/riscv.h"

void (*riscv_alarm)(void);

void riscv_trap(void);

/* The compiler saves what the handler and its callees change. */
__attribute__((interrupt("machine"), aligned(4))) void riscv_trap(void)
{
    uint32_t cause = CSR_READ(mcause);
    if (cause == MCAUSE_M_EXTERNAL) {
        riscv_external_isr();
        return;
    }
    if (cause == MCAUSE_M_TIMER) { /* which is enabled when there is a handler */
        riscv_alarm();
        return;
    }
    uint32_t lr = (uint32_t)(uintptr_t)__builtin_return_address(0); /* ra as it was */
    riscv_fault(cause, lr);
}

void riscv_start_interrupts(void)
{
    CSR_WRITE(mtvec, (uint32_t)(uintptr_t)&riscv_trap); /* the low bits 0: one handler for all */
    CSR_WRITE(mie, MIE_MEIE);
}
