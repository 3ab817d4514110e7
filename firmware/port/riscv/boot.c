/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/boot.h for every RISC-V core: the image begins with its first instruction.
 */
#include "hal/boot.h"

#include "port/riscv/riscv.h"

void boot_jump(const uint8_t *payload, uint32_t length)
{
    (void)length;
    CSR_WRITE(mie, 0);
    __asm volatile("fence.i\n\tjr %0" ::"r"(payload) : "memory");
    __builtin_unreachable();
}
