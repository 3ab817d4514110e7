/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cpu_reset() with the test finisher of SiFive's E and U cores (QEMU 7.2 hw/misc/sifive_test.c).
 */
#include "hal/cpu.h"
#include "port/riscv/riscv.h"

#define FINISHER       REG32(0x100000)
#define FINISHER_RESET 0x7777u

void cpu_reset(void)
{
    FINISHER = FINISHER_RESET;
    for (;;) {
    }
}
