/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Faults, exceptions nobody asked for, and the watchdog's last warning: leave word, then reset.
 */
#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

/* What the CPU pushes when it takes an exception (Arm DDI 0403, B1.5.6). */
typedef struct {
    uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
} exception_frame_t;

__attribute__((used, noreturn)) static void record_fault(const exception_frame_t *frame)
{
    uint32_t ipsr;
    __asm volatile("mrs %0, ipsr" : "=r"(ipsr));
    uint32_t reason = ipsr == BOARD_WATCHDOG_EXCEPTION ? RESTART_WATCHDOG : RESTART_FAULT;
    restart_note(reason, ipsr, frame->pc, frame->lr);
    restart_note_status(cortexm_fault_status());
    cpu_reset();
}

/* Naked, so that the stack pointer still points to the exception frame. */
__attribute__((naked)) void cortexm_fault(void)
{
    __asm volatile("mov r0, sp\n\t"
                   "ldr r1, =record_fault\n\t"
                   "bx r1\n\t"
                   ".ltorg");
}
