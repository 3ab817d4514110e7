/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cause.h with the code of the last reset (TRM, Reset and Clock, table of reset sources). The chip
 * keeps it until the next one: that it is told once is remembered here. The EN pin is power to this
 * chip, and so it is said.
 */
#include "port/common/cause.h"

#include <stdbool.h>

#include "port/riscv/riscv.h"

#define RTC_CNTL_RESET_STATE REG32(0x60008038u)
#define RESET_CAUSE          0x3Fu

static bool is_told;

static restart_cause_t cause_of(uint32_t code)
{
    switch (code) {
    case 0x01: /* chip reset: power, or the EN pin */
        return RESTART_CAUSE_POWER;
    case 0x0F: /* brown-out */
    case 0x17: /* a glitch of the supply */
        return RESTART_CAUSE_BROWN_OUT;
    case 0x03: /* the digital system, by software */
    case 0x0C: /* the CPU, by software */
    case 0x15: /* USB: by who flashes */
    case 0x16: /* JTAG */
        return RESTART_CAUSE_SOFTWARE;
    case 0x07: /* timer group 0: core, CPU */
    case 0x0B:
    case 0x08: /* timer group 1 */
    case 0x11:
    case 0x09: /* RTC: core, CPU, system */
    case 0x0D:
    case 0x10:
    case 0x12: /* super watchdog */
        return RESTART_CAUSE_WATCHDOG;
    case 0x05:
        return RESTART_CAUSE_WAKE;
    default:
        return RESTART_CAUSE_UNKNOWN;
    }
}

restart_cause_t cause_take(void)
{
    if (is_told) {
        return RESTART_CAUSE_UNKNOWN;
    }
    is_told = true;
    return cause_of(RTC_CNTL_RESET_STATE & RESET_CAUSE);
}
