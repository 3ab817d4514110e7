/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Exceptions of every RISC-V core: leave word, then reset.
 */
#include "port/riscv/riscv.h"

void riscv_fault(uint32_t cause, uint32_t lr)
{
    restart_note(RESTART_FAULT, cause, CSR_READ(mepc), lr);
    restart_note_status(cause);
    cpu_reset();
}
