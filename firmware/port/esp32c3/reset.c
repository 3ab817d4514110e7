/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cpu_reset() by the software system reset (TRM, Reset and Clock): the whole digital system with
 * the RTC. The ROM starts again; RAM but its own keeps what it had.
 */
#include "hal/cpu.h"
#include "port/riscv/riscv.h"

#define RTC_CNTL_OPTIONS0 REG32(0x60008000u)
#define SW_SYS_RST        (1u << 31)

void cpu_reset(void)
{
    RTC_CNTL_OPTIONS0 = RTC_CNTL_OPTIONS0 | SW_SYS_RST;
    for (;;) {
    }
}
