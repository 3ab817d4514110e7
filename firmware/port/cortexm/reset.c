/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cpu_reset() of every Cortex-M whose chip resets when its core asks for it.
 */
#include "hal/cpu.h"
#include "port/cortexm/cortexm.h"

void cpu_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    AIRCR = AIRCR_VECTKEY | AIRCR_SYSRESETREQ;
    for (;;) {
    }
}
