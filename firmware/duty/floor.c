/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See floor.h.
 */
#include "duty/floor.h"

#define FALL_SHIFT 5
#define RISE_SHIFT 8
#define RISE_LEAST 16u /* of 256: so that a floor of 0 can rise */

void floor_update(floor_t *floor, uint32_t level)
{
    uint32_t now = (level < FLOOR_LEVEL_MAX ? level : FLOOR_LEVEL_MAX) << 8;
    uint32_t rise = (floor->floor_q8 >> RISE_SHIFT) + RISE_LEAST;
    if (!floor->known) {
        floor->known = true;
        floor->floor_q8 = now;
    } else if (now < floor->floor_q8) {
        floor->floor_q8 -= (floor->floor_q8 - now) >> FALL_SHIFT;
    } else {
        floor->floor_q8 += now - floor->floor_q8 < rise ? now - floor->floor_q8 : rise;
    }
}

uint32_t floor_times(const floor_t *floor, uint32_t sixteenths)
{
    return (floor->floor_q8 >> 8) * sixteenths >> 4;
}
