/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What firmware/drivers/replay needs of an application: one timer, which remembers when it is due,
 * and a count of the blocks that it was told of.
 */
#include "drivers/replay/replay.h"

uint64_t shim_due;
bool shim_set;
uint32_t shim_timer;
uint32_t shim_blocks;

void timers_set(timers_t *timers, uint32_t id, uint64_t due)
{
    (void)timers;
    shim_due = due;
    shim_set = true;
    shim_timer = id;
}

void sensor_on_block(void)
{
    shim_blocks++;
}
