/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See trigger.h.
 */
#include "duty/trigger.h"

trigger_event_t trigger_update(trigger_t *trigger, const trigger_config_t *config, uint32_t level)
{
    bool crossed = trigger->active ? level < config->off : level >= config->on;
    uint32_t needed = trigger->active ? config->hold : config->debounce;
    uint32_t count = crossed ? trigger->count + 1u : 0;
    if (count == 0 || count < needed) {
        trigger->count = (uint16_t)count;
        return trigger->active ? TRIGGER_ACTIVE : TRIGGER_QUIET;
    }
    trigger->count = 0;
    trigger->active = !trigger->active;
    return trigger->active ? TRIGGER_OPENED : TRIGGER_CLOSED;
}

/* Most of what a sleeping device does: four samples a turn, on a Cortex-M4 seven instructions each
 * for both loops. */
static int32_t axis_sum(const int16_t *samples, const int16_t *end, uint32_t axes)
{
    int32_t sum = 0;
#pragma GCC unroll 4
    for (; samples < end; samples += axes) {
        sum += *samples;
    }
    return sum;
}

/* count times the sum of the deviations above the mean. */
static uint32_t axis_above(const int16_t *samples, const int16_t *end, uint32_t axes, int32_t count)
{
    int32_t sum = axis_sum(samples, end, axes);
    uint32_t above = 0;
#pragma GCC unroll 4
    for (; samples < end; samples += axes) {
        int32_t deviation = *samples * count - sum;
        above += (uint32_t)(deviation > 0 ? deviation : 0);
    }
    return above;
}

/* Deviations from a mean add up to 0, so those above it are half of the absolute ones. Times count
 * they are integers, and at most count^2 * 65535 / 4. */
uint32_t trigger_level(const int16_t *samples, uint32_t count, uint32_t axes)
{
    if (count == 0) {
        return 0;
    }
    const int16_t *end = samples + count * axes;
    uint32_t above = 0;
    for (uint32_t axis = 0; axis < axes; axis++) {
        above += axis_above(samples + axis, end, axes, (int32_t)count);
    }
    return 2 * above / (count * count);
}
