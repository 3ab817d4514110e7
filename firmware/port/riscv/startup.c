/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Start-up code of a RISC-V core in machine mode. Its first instruction is the image's first.
 */
#include "port/bare/chip.h"
#include "port/riscv/riscv.h"

void riscv_trap(void);

/* Runs with a stack pointer and nothing else; interrupts are disabled since reset. */
__attribute__((used)) void riscv_reset(void)
{
    CSR_WRITE(mtvec, (uint32_t)(uintptr_t)&riscv_trap); /* the low bits 0: one handler for all */
    bare_prepare_memory();
    chip_start();
    CSR_WRITE(mie, MIE_MEIE);
    main();
    cpu_reset();
}

/* Naked: there is no stack yet. The linker script puts the section first. */
__attribute__((naked, used, section(".vectors"))) void riscv_entry(void)
{
    __asm volatile("la sp, __stack_top\n\t"
                   "la t0, riscv_reset\n\t"
                   "jr t0");
}
