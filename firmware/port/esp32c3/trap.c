/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Traps (TRM, ESP-RISC-V CPU; Interrupt Matrix). This core has neither mie nor mip, no CLINT and no
 * PLIC: a matrix leads sources to 31 lines, whose enable bits, kinds and priorities are registers
 * outside of the core. mtvec is always vectored: line n jumps to entry n, an exception to entry 0.
 */
#include "port/esp32c3/esp32c3.h"

#define INTERRUPT_CORE0_BASE           0x600C2000u
#define INTERRUPT_CORE0_MAP(source)    REG32(INTERRUPT_CORE0_BASE + 4 * (source))
#define INTERRUPT_CORE0_CPU_INT_ENABLE REG32(INTERRUPT_CORE0_BASE + 0x104)
#define INTERRUPT_CORE0_CPU_INT_TYPE   REG32(INTERRUPT_CORE0_BASE + 0x108)
#define INTERRUPT_CORE0_CPU_INT_PRI(n) REG32(INTERRUPT_CORE0_BASE + 0x114 + 4 * (n))
#define INTERRUPT_CORE0_CPU_INT_THRESH REG32(INTERRUPT_CORE0_BASE + 0x194)

#define MTVEC_VECTORED 1u

static void (*handlers[LINES])(void);

void riscv_trap(void);

/* 32 jumps of four bytes each; mtvec has no lower bits than 256. */
__attribute__((naked, used, aligned(256))) static void vectors(void)
{
    __asm volatile(".option push\n\t"
                   ".option norvc\n\t"
                   ".rept 32\n\t"
                   "j riscv_trap\n\t"
                   ".endr\n\t"
                   ".option pop");
}

static _Noreturn void end_by_watchdog(uint32_t cause, uint32_t lr)
{
    restart_note(RESTART_WATCHDOG, cause, CSR_READ(mepc), lr);
    cpu_reset();
}

/* The compiler saves what the handler and its callees change. */
__attribute__((interrupt("machine"), aligned(4))) void riscv_trap(void)
{
    uint32_t lr = (uint32_t)(uintptr_t)__builtin_return_address(0); /* ra as it was */
    uint32_t cause = CSR_READ(mcause);
    uint32_t line = cause & ~MCAUSE_INTERRUPT;
    if ((cause & MCAUSE_INTERRUPT) == 0 || line >= LINES) {
        riscv_fault(cause, lr);
    }
    if (line == LINE_WATCHDOG) {
        end_by_watchdog(cause, lr);
    }
    handlers[line]();
}

/* The kind is a level: a line is pending as long as its source is. */
static void open_line(uint32_t source, line_t line)
{
    INTERRUPT_CORE0_CPU_INT_TYPE = INTERRUPT_CORE0_CPU_INT_TYPE & ~(1u << line);
    INTERRUPT_CORE0_CPU_INT_PRI(line) = 1;
    INTERRUPT_CORE0_MAP(source) = line;
    INTERRUPT_CORE0_CPU_INT_ENABLE = INTERRUPT_CORE0_CPU_INT_ENABLE | 1u << line;
}

void interrupt_connect(uint32_t source, line_t line, void (*handler)(void))
{
    handlers[line] = handler;
    open_line(source, line);
}

/* The watchdog's line is open in every program: who has armed it may not be who is warned. */
void riscv_start_interrupts(void)
{
    INTERRUPT_CORE0_CPU_INT_ENABLE = 0;
    INTERRUPT_CORE0_CPU_INT_THRESH = 1;
    CSR_WRITE(mtvec, (uint32_t)(uintptr_t)&vectors | MTVEC_VECTORED);
    open_line(BOARD_WATCHDOG_EXCEPTION, LINE_WATCHDOG);
}
