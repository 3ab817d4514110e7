/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * port/common/cause.h with RESETREAS (nRF51 Series Reference Manual 3.0, chapter 12.1; PS v1.11,
 * chapter POWER): bits add up until they are cleared by writing ones. None is set when power came,
 * or came back after a brown-out, which the chips do not tell apart. QEMU 7.2 has no such
 * registers: there nobody says.
 */
#include "port/common/cause.h"

#include <stdbool.h>

#include "port/nrf/nrf.h"

#define POWER_RESETREAS REG32(0x40000000u + 0x400)
#define POWER_GPREGRET  REG32(0x40000000u + 0x51C) /* eight bits, for whoever wants to keep some */

#define RESETREAS_RESETPIN (1u << 0)
#define RESETREAS_DOG      (1u << 1)
#define RESETREAS_SREQ     (1u << 2)
#define RESETREAS_LOCKUP   (1u << 3)

/* With the reset pin other bits are set that mean nothing (erratum 136 of the nRF52840): it comes
 * first. */
static restart_cause_t cause_of(uint32_t bits)
{
    if (bits == 0) {
        return RESTART_CAUSE_POWER;
    }
    if ((bits & RESETREAS_RESETPIN) != 0) {
        return RESTART_CAUSE_PIN;
    }
    if ((bits & RESETREAS_DOG) != 0) {
        return RESTART_CAUSE_WATCHDOG;
    }
    if ((bits & RESETREAS_LOCKUP) != 0) {
        return RESTART_CAUSE_LOCKUP;
    }
    return (bits & RESETREAS_SREQ) != 0 ? RESTART_CAUSE_SOFTWARE : RESTART_CAUSE_WAKE;
}

/* What is written to a register that is there can be read. */
static bool has_registers(void)
{
    uint32_t kept = POWER_GPREGRET;
    POWER_GPREGRET = kept ^ 1u;
    bool there = POWER_GPREGRET != kept;
    POWER_GPREGRET = kept;
    return there;
}

/* No bit is set after a first look either: it is remembered for this run. */
restart_cause_t cause_take(void)
{
    static bool taken;
    if (taken || !has_registers()) {
        return RESTART_CAUSE_UNKNOWN;
    }
    taken = true;
    uint32_t bits = POWER_RESETREAS;
    POWER_RESETREAS = bits;
    return cause_of(bits);
}
