/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Start-up code of a RISC-V core in machine mode. Its first instruction is the image's first.
 */
#include "port/bare/chip.h"
#include "port/riscv/riscv.h"

/* Runs with a stack pointer and nothing else. */
__attribute__((used)) void riscv_reset(void)
{
    riscv_start_interrupts();
    bare_prepare_memory();
    chip_start();
    main();
    cpu_reset();
}

/* Naked: there is no stack yet. The linker script puts the section first. Interrupts are disabled
 * since reset, unless a ROM has run. */
__attribute__((naked, used, section(".vectors"))) void riscv_entry(void)
{
    __asm volatile("csrci mstatus, 8\n\t"
                   "la sp, __stack_top\n\t"
                   "la t0, riscv_reset\n\t"
                   "jr t0");
}
