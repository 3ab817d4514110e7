/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Armv7-M (Cortex-M3, M4, M7): vector table anywhere, FPU off after reset.
 */
#include "port/cortexm/cortexm.h"

void cortexm_core_start(const void *vectors)
{
    VTOR = (uint32_t)(uintptr_t)vectors;
    CPACR |= CPACR_CP10_CP11; /* ignored by cores without FPU */
    __asm volatile("dsb\n\tisb" ::: "memory");
}
