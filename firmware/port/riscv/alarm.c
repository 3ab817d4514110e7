/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/alarm.h with the machine timer of hal/clock.h (Privileged Architecture 3.2.1): its interrupt
 * is pending as long as the time is not below the one that is compared with, so none can be missed.
 */
#include "hal/alarm.h"

#include "gen/board_config.h"
#include "hal/clock.h"
#include "port/riscv/riscv.h"

#define CLINT_MTIMECMP_LOW  REG32(BOARD_TIMER_BASE + 0x4000)
#define CLINT_MTIMECMP_HIGH REG32(BOARD_TIMER_BASE + 0x4004)
#define CLINT_MTIME_LOW     REG32(BOARD_TIMER_BASE + 0xBFF8)
#define CLINT_MTIME_HIGH    REG32(BOARD_TIMER_BASE + 0xBFFC)

/* Not disabled by a time that never comes: an emulator would look for it all the time. */
static void riscv_alarm_isr(void)
{
    CSR_CLEAR(mie, MIE_MTIE);
    alarm_on_ring();
}

static uint64_t time_now(void)
{
    uint32_t high;
    uint32_t low;
    do {
        high = CLINT_MTIME_HIGH;
        low = CLINT_MTIME_LOW;
    } while (CLINT_MTIME_HIGH != high);
    return (uint64_t)high << 32 | low;
}

void alarm_set(uint32_t ticks)
{
    alarm_cancel();
    int32_t ahead = (int32_t)(ticks - clock_ticks()); /* first, for it must not be early */
    uint64_t due = time_now() + (ahead > 0 ? (uint32_t)ahead : 0);
    CLINT_MTIMECMP_LOW = (uint32_t)due;
    CLINT_MTIMECMP_HIGH = (uint32_t)(due >> 32);
    riscv_alarm = riscv_alarm_isr;
    CSR_SET(mie, MIE_MTIE);
}

void alarm_cancel(void)
{
    CSR_CLEAR(mie, MIE_MTIE);
}
