/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Armv6-M (Cortex-M0): no FPU, and the vector table is at address 0. Where that belongs to a
 * bootloader, its handlers go on to the table that is noted here: see forward.c.
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
    bare_kept_memory.restart.vectors = (uint32_t)(uintptr_t)vectors;
}
