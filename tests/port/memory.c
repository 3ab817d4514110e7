/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * RAM for the tests of port/common, and a clock. A reset between two stores of the code under test
 * is the RAM as it was between them: each time the address of the RAM or the time is asked for.
 */
#include <string.h>

#include "hal/clock.h"
#include "port/common/cause.h"
#include "port/common/restart.h"

kept_memory_t kept;
kept_memory_t at_clock; /* the RAM when the clock was last read */
uint32_t ticks;
uint32_t cause; /* that the chip says, until it is asked */

kept_memory_t *kept_memory(void)
{
    return &kept;
}

restart_cause_t cause_take(void)
{
    uint32_t said = cause;
    cause = RESTART_CAUSE_UNKNOWN;
    return (restart_cause_t)said;
}

uint32_t clock_ticks(void)
{
    memcpy(&at_clock, &kept, sizeof kept);
    return ticks;
}
