/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The trap handler: external interrupts go to the port, the timer's to the alarm, all else is a
 * fault.
 */
#include "port/riscv/riscv.h"

void (*riscv_alarm)(void);

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
    restart_note(RESTART_FAULT, cause, CSR_READ(mepc), lr);
    restart_note_status(cause);
    cpu_reset();
}
