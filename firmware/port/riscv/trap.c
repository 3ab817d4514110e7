/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The trap handler: external interrupts go to the port, all else is a fault.
 */
#include "port/riscv/riscv.h"

/* The compiler saves what the handler and its callees change. A fault has code 0 (misaligned
 * instruction) only on cores without compressed instructions, so that 0 can mean "none". */
__attribute__((interrupt("machine"), aligned(4))) void riscv_trap(void)
{
    uint32_t cause = CSR_READ(mcause);
    if (cause == MCAUSE_M_EXTERNAL) {
        riscv_external_isr();
        return;
    }
    uint32_t lr = (uint32_t)(uintptr_t)__builtin_return_address(0); /* ra as it was */
    bare_fault((cpu_fault_t){.cause = cause, .pc = CSR_READ(mepc), .lr = lr});
}
