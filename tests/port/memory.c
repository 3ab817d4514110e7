/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * RAM for the tests of port/common, and a clock. A reset between two stores of the code under test
 * is the RAM as it was between them: each time the address of the RAM or the time is asked for.
 */
#include <string.h>

#include "hal/clock.h"
#include "port/common/restart.h"

kept_memory_t kept;
kept_memory_t at_clock; /* the RAM when the clock was last read */
uint32_t ticks;

kept_memory_t *kept_memory(void)
{
    return &kept;
}

uint32_t clock_ticks(void)
{
    memcpy(&at_clock, &kept, sizeof kept);
    return ticks;
}
