/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Armv6-M with the vector table offset register (Cortex-M0+ where the chip's maker has it; Arm DDI
 * 0419, B3.2.5): no FPU, the table at any multiple of 256.
 */
#include "port/cortexm/cortexm.h"

void cortexm_core_start(void)
{
}

uint32_t cortexm_fault_status(void)
{
    return 0;
}

void cortexm_use_vectors(const void *vectors)
{
    VTOR = (uint32_t)(uintptr_t)vectors;
    __asm volatile("dsb\n\tisb" ::: "memory");
}
