/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/boot.h for every Cortex-M: the image begins with its vector table. A bootloader that starts
 * something has used neither UART nor clock, so that nothing is left to switch off.
 */
#include "hal/boot.h"

#include "port/cortexm/cortexm.h"

void boot_jump(const uint8_t *payload, uint32_t length)
{
    (void)length;
    const uint32_t *vectors = (const void *)payload;
    cortexm_use_vectors(vectors);
    __asm volatile("msr msp, %0\n\tbx %1" ::"r"(vectors[0]), "r"(vectors[1]) : "memory");
    __builtin_unreachable();
}
