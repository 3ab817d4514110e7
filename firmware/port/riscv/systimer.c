/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/clock.h with the system timer of Espressif's chips (ESP32-C3 Technical Reference Manual,
 * System Timer): 52 bits that count 16 MHz, made from the crystal, whatever clock the CPU has. The
 * lower 32 are all that hal/clock.h wants.
 */
#include "hal/clock.h"

#include "gen/board_config.h"
#include "port/riscv/riscv.h"

#define SYSTIMER_CONF           REG32(BOARD_TIMER_BASE + 0x00)
#define SYSTIMER_UNIT0_OP       REG32(BOARD_TIMER_BASE + 0x04)
#define SYSTIMER_UNIT0_VALUE_LO REG32(BOARD_TIMER_BASE + 0x44)

#define CONF_CLK_EN              (1u << 31)
#define CONF_TIMER_UNIT0_WORK_EN (1u << 30)
#define OP_UPDATE                (1u << 30)
#define OP_VALUE_VALID           (1u << 29)

_Static_assert(BOARD_TIMER_HZ == 16000000, "it has no other");

static uint32_t origin;

/* The count is latched on demand. An interrupt that asks meanwhile gets a later one, and so do we.
 */
static uint32_t count(void)
{
    SYSTIMER_UNIT0_OP = OP_UPDATE;
    while ((SYSTIMER_UNIT0_OP & OP_VALUE_VALID) == 0) {
    }
    return SYSTIMER_UNIT0_VALUE_LO;
}

void clock_start(void)
{
    SYSTIMER_CONF = SYSTIMER_CONF | CONF_CLK_EN | CONF_TIMER_UNIT0_WORK_EN;
    origin = count();
}

uint32_t clock_ticks(void)
{
    return count() - origin;
}
