/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The vector table of a bootloader on a core that always takes the one at address 0 (Armv6-M): each
 * exception goes on to the table that cortexm_use_vectors() has noted in RAM, the bootloader's own
 * or that of the application which runs. It costs six instructions an interrupt.
 */
#include <stddef.h>

#include "port/cortexm/cortexm.h"

extern uint32_t __stack_top[];

#define HANDLERS 46 /* exceptions 2 .. 15 and 32 interrupts (Arm DDI 0419, B1.5.3) */

/* Naked: the handler finds stack and lr as the exception left them; r0 and r1 have been pushed. The
 * table's address is the first word of kept_memory_t. */
__attribute__((naked)) static void forward(void)
{
    __asm volatile("ldr r1, =bare_kept_memory\n\t"
                   "ldr r1, [r1]\n\t"
                   "mrs r0, ipsr\n\t"
                   "lsl r0, r0, #2\n\t"
                   "ldr r0, [r1, r0]\n\t"
                   "bx r0\n\t"
                   ".ltorg");
}

typedef struct {
    uint32_t *stack_top;
    void (*reset)(void);
    void (*handlers[HANDLERS])(void);
} vectors_t;

__attribute__((section(".vectors.first"), used)) static const vectors_t vectors = {
    .stack_top = __stack_top,
    .reset = cortexm_reset,
    .handlers = {[0 ... HANDLERS - 1] = forward},
};

_Static_assert(offsetof(kept_memory_t, restart.vectors) == 0, "see above");
