/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/boot.h: an image begins with a second stage as every program does (boot2.c), which the flash
 * does not need any more; behind it is the vector table.
 */
#include "hal/boot.h"

#include "port/cortexm/cortexm.h"
#include "port/rp2040/boot2.h"

void boot_jump(const uint8_t *payload, uint32_t length)
{
    (void)length;
    const uint32_t *vectors = (const void *)(payload + SECOND_STAGE_BYTES);
    cortexm_use_vectors(vectors);
    __asm volatile("msr msp, %0\n\tbx %1" ::"r"(vectors[0]), "r"(vectors[1]) : "memory");
    __builtin_unreachable();
}
