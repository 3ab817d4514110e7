/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Where SysTick is not the clock (or not there at all), its exception is a fault.
 */
#include "port/cortexm/cortexm.h"

/* Naked: cortexm_fault() wants the stack as the exception left it. */
__attribute__((naked)) void cortexm_systick_isr(void)
{
    __asm volatile("ldr r1, =cortexm_fault\n\t"
                   "bx r1\n\t"
                   ".ltorg");
}
