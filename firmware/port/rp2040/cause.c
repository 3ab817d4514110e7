/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cause.h of the RP2040 (RP2040 Datasheet: 4.7 REASON, 2.12.7 CHIP_RESET). Neither can be cleared,
 * and CHIP_RESET stays through resets of the watchdog. That power or the pin has been told is noted
 * in a scratch register, which those two clear: after it, it was a debugger, who resets the cores
 * alone. One that does so after a reset of the watchdog is taken for that once more.
 */
#include "port/common/cause.h"

#include "port/rp2040/rp2040.h"

#define REASON_TIMER (1u << 0)
#define REASON_FORCE (1u << 1)

#define CHIP_RESET  REG32(0x40064008u)
#define HAD_POR     (1u << 8) /* power, or brown-out */
#define HAD_RUN     (1u << 16)
#define HAD_RESTART (1u << 20) /* by the debug port */

#define TOLD 0x746F6C64u

static bool is_told; /* in this run */

static restart_cause_t cause_of_chip(void)
{
    uint32_t flags = CHIP_RESET;
    if ((flags & HAD_POR) != 0) {
        return RESTART_CAUSE_POWER;
    }
    if ((flags & HAD_RUN) != 0) {
        return RESTART_CAUSE_PIN;
    }
    return (flags & HAD_RESTART) != 0 ? RESTART_CAUSE_SOFTWARE : RESTART_CAUSE_UNKNOWN;
}

static restart_cause_t cause_now(void)
{
    uint32_t reason = WATCHDOG_REASON;
    if ((reason & REASON_FORCE) != 0) {
        return RESTART_CAUSE_SOFTWARE;
    }
    if ((reason & REASON_TIMER) != 0) {
        return RESTART_CAUSE_WATCHDOG;
    }
    return WATCHDOG_SCRATCH(SCRATCH_TOLD) == TOLD ? RESTART_CAUSE_SOFTWARE : cause_of_chip();
}

restart_cause_t cause_take(void)
{
    if (is_told) {
        return RESTART_CAUSE_UNKNOWN;
    }
    is_told = true;
    restart_cause_t cause = cause_now();
    WATCHDOG_SCRATCH(SCRATCH_TOLD) = TOLD;
    return cause;
}
