/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/clock.h with the machine timer (Privileged Architecture 3.2.1), whose place is that of the
 * core-local interruptor, CLINT. Its lower 32 bits are all that hal/clock.h wants.
 */
#include "hal/clock.h"

#include "gen/board_config.h"
#include "port/riscv/riscv.h"

#define CLINT_MTIME REG32(BOARD_TIMER_BASE + 0xBFF8)

static uint32_t origin;

void clock_start(void)
{
    origin = CLINT_MTIME;
}

uint32_t clock_ticks(void)
{
    return CLINT_MTIME - origin;
}
