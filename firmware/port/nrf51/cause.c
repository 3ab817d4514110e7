/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * port/common/cause.h with RESETREAS (nRF51 Series Reference Manual 3.0, chapter 12.1, POWER): bits
 * add up until they are cleared by writing ones. None is set after power came, or came back after a
 * brown-out; nor in QEMU 7.2, which has no such register: then RAM tells.
 */
#include "port/common/cause.h"

#include "port/bare/bare.h"

#define POWER_RESETREAS REG32(0x40000000u + 0x400)

#define RESETREAS_RESETPIN (1u << 0)
#define RESETREAS_DOG      (1u << 1)
#define RESETREAS_SREQ     (1u << 2)
#define RESETREAS_LOCKUP   (1u << 3)

restart_cause_t cause_take(void)
{
    uint32_t bits = POWER_RESETREAS;
    POWER_RESETREAS = bits;
    if ((bits & RESETREAS_RESETPIN) != 0) {
        return RESTART_CAUSE_PIN;
    }
    if ((bits & RESETREAS_DOG) != 0) {
        return RESTART_CAUSE_WATCHDOG;
    }
    if ((bits & RESETREAS_LOCKUP) != 0) {
        return RESTART_CAUSE_LOCKUP;
    }
    if ((bits & RESETREAS_SREQ) != 0) {
        return RESTART_CAUSE_SOFTWARE;
    }
    return bits != 0 ? RESTART_CAUSE_WAKE : RESTART_CAUSE_UNKNOWN;
}
