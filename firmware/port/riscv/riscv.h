/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Control and status registers of a RISC-V core in machine mode, named as in "The RISC-V
 * Instruction Set Manual, Volume II: Privileged Architecture", version 1.12, chapter 3, and what
 * the files of this folder share with a chip's port. For ports only.
 */
#ifndef PORT_RISCV_RISCV_H
#define PORT_RISCV_RISCV_H

#include "port/bare/bare.h"

#define MSTATUS_MIE       (1u << 3)  /* interrupts are enabled */
#define MIE_MTIE          (1u << 7)  /* timer interrupts are enabled */
#define MIE_MEIE          (1u << 11) /* external interrupts are enabled */
#define MCAUSE_INTERRUPT  (1u << 31)
#define MCAUSE_M_TIMER    (MCAUSE_INTERRUPT | 7)
#define MCAUSE_M_EXTERNAL (MCAUSE_INTERRUPT | 11)

#define CSR_READ(name)                                                                             \
    __extension__({                                                                                \
        uint32_t value_;                                                                           \
        __asm volatile("csrr %0, " #name : "=r"(value_));                                          \
        value_;                                                                                    \
    })
#define CSR_WRITE(name, value) __asm volatile("csrw " #name ", %0" ::"r"(value) : "memory")
#define CSR_SET(name, bits)    __asm volatile("csrs " #name ", %0" ::"r"(bits) : "memory")
#define CSR_CLEAR(name, bits)  __asm volatile("csrc " #name ", %0" ::"r"(bits) : "memory")

/* trap.c, or that of the port where its core has interrupts of its own: sets the trap handler and
 * what is enabled at the start. Before memory is ready. */
void riscv_start_interrupts(void);

/* For trap handlers: an exception, with the return address that was in force. */
void riscv_fault(uint32_t cause, uint32_t lr) __attribute__((noreturn));

/* The port's: looks which device has interrupted and serves it. Runs in the trap handler. */
void riscv_external_isr(void);

/* Who takes the timer's interrupt; set before it is enabled. Not every program has an alarm. */
extern void (*riscv_alarm)(void);

#endif
