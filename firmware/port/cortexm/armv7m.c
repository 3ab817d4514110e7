/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Armv7-M (Cortex-M3, M4, M7) and Armv8-M with the Main Extension (Cortex-M33, M55): vector table
 * anywhere, FPU and Helium off after reset. Armv8-M resets into the Secure state; the image stays
 * in it, and interrupts go to it as long as nobody gives them away (NVIC_ITNS is 0).
 */
#include "port/cortexm/cortexm.h"

void cortexm_core_start(void)
{
    CPACR |= CPACR_CP10_CP11; /* ignored by cores without FPU */
    __asm volatile("dsb\n\tisb" ::: "memory");
}

uint32_t cortexm_fault_status(void)
{
    return CFSR;
}

void cortexm_use_vectors(const void *vectors)
{
    VTOR = (uint32_t)(uintptr_t)vectors;
    __asm volatile("dsb\n\tisb" ::: "memory");
}
