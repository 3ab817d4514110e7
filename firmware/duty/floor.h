/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How loud it is when nothing happens: a floor under the levels. It falls within some blocks and
 * rises slowly, so that what is short hardly lifts it, and noise that stays becomes the new floor.
 */
#ifndef DUTY_FLOOR_H
#define DUTY_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

#define FLOOR_LEVEL_MAX 0xFFFFFFu /* levels above count as this one */

/* All zero: nothing was heard yet. Members are private. */
typedef struct {
    uint32_t floor_q8; /* level times 256 */
    bool known;
} floor_t;

/* Takes a level. Down by 1/32 of the difference a block; up by 1/256 of the floor and a little, at
 * most to the level: the floor doubles in about 180 blocks. The first level is the first floor. */
void floor_update(floor_t *floor, uint32_t level);

/* `sixteenths` / 16 times the floor, rounded down. */
uint32_t floor_times(const floor_t *floor, uint32_t sixteenths);

#endif
