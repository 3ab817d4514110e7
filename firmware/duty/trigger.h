/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What wakes the device: a level with hysteresis and debounce, one number a block.
 *
 *     level >= on, `debounce` blocks one after the other:  QUIET  -> OPENED, then ACTIVE
 *     level <  off, `hold` blocks one after the other:     ACTIVE -> CLOSED, then QUIET
 *
 * Noise may be louder than any fixed threshold. With `above` the thresholds are at least so much
 * above the floor of the levels (duty/floor.h).
 */
#ifndef DUTY_TRIGGER_H
#define DUTY_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "duty/floor.h"

typedef struct {
    uint32_t on;
    uint32_t off;      /* <= on */
    uint16_t debounce; /* blocks, at least 1 */
    uint16_t hold;     /* blocks, at least 1 */
    uint8_t above;     /* sixteenths of the floor: `on` is at least this; 0: `on` is fixed */
    uint8_t still;     /* the same for `off`; <= above */
} trigger_config_t;

typedef enum { TRIGGER_QUIET, TRIGGER_OPENED, TRIGGER_ACTIVE, TRIGGER_CLOSED } trigger_event_t;

/* All zero is quiet. */
typedef struct {
    bool active;
    uint16_t count;
    floor_t floor;
} trigger_t;

trigger_event_t trigger_update(trigger_t *trigger, const trigger_config_t *config, uint32_t level);

/* The level of a block, samples [count][axes]: the mean over its samples of the sum over the axes
 * of |sample - mean of the block and axis|. At rest it is 0 whatever the sensor's offset. Integer,
 * exact on every core: the sum of all absolute deviations, divided once, rounded down. At most
 * SENSOR_BLOCK_MAX (320) numbers; 0 if there are none. 8.5 instructions a number on a Cortex-M4, 15
 * on a Cortex-M0. */
uint32_t trigger_level(const int16_t *samples, uint32_t count, uint32_t axes);

#endif
