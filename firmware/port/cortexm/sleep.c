/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cpu_sleep() of every Cortex-M.
 */
#include "hal/cpu.h"

void cpu_sleep(void)
{
    __asm volatile("dsb\n\twfi" ::: "memory");
}
