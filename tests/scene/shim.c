/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What firmware/drivers/replay needs of an application: it is told of each block.
 */
#include "drivers/sensor.h"

uint32_t shim_blocks;

void sensor_on_block(void)
{
    shim_blocks++;
}
