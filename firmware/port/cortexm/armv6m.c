/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Armv6-M (Cortex-M0): no FPU, and the vector table is where the chip wants it.
 */
#include "port/cortexm/cortexm.h"

void cortexm_core_start(const void *vectors)
{
    (void)vectors;
}
