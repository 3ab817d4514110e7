/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See trigger.h.
 */
#include "duty/trigger.h"

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* The level is judged by the floor of those before it. */
static bool crosses(const trigger_t *trigger, const trigger_config_t *config, uint32_t level)
{
    if (trigger->active) {
        return level < larger(config->off, floor_times(&trigger->floor, config->still));
    }
    return level >= larger(config->on, floor_times(&trigger->floor, config->above));
}

trigger_event_t trigger_update(trigger_t *trigger, const trigger_config_t *config, uint32_t level)
{
    bool crossed = crosses(trigger, config, level);
    floor_update(&trigger->floor, level);
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

/* These two loops are most of what a sleeping device does. So they take four samples a turn, and
 * the sum is negative, which makes of a deviation one multiplication with addition. */
static int32_t minus_sum(const int16_t *at, uint32_t count, uint32_t axes)
{
    int32_t sum = 0;
    for (; count % 4 != 0; count--, at += axes) {
        sum -= *at;
    }
    if (count == 0) {
        return sum;
    }
    do {
        sum -= at[0];
        sum -= at[axes];
        sum -= at[2 * axes];
        sum -= at[3 * axes];
        at += 4 * axes;
        count -= 4;
    } while (count != 0);
    return sum;
}

/* What a sample is above the mean, times the count. */
static inline uint32_t above_mean(int32_t sample, int32_t count, int32_t minus)
{
    int32_t deviation = sample * count + minus;
    return deviation > 0 ? (uint32_t)deviation : 0;
}

static uint32_t sum_above(const int16_t *at, uint32_t left, uint32_t axes, int32_t minus)
{
    int32_t count = (int32_t)left;
    uint32_t sum = 0;
    for (; left % 4 != 0; left--, at += axes) {
        sum += above_mean(*at, count, minus);
    }
    if (left == 0) {
        return sum;
    }
    do {
        sum += above_mean(at[0], count, minus);
        sum += above_mean(at[axes], count, minus);
        sum += above_mean(at[2 * axes], count, minus);
        sum += above_mean(at[3 * axes], count, minus);
        at += 4 * axes;
        left -= 4;
    } while (left != 0);
    return sum;
}

/* Deviations from a mean add up to 0, so those above it are half of the absolute ones. Times count
 * they are integers, and at most count^2 * 65535 / 4. */
uint32_t trigger_level(const int16_t *samples, uint32_t count, uint32_t axes)
{
    if (count == 0) {
        return 0;
    }
    uint32_t sum = 0;
    for (uint32_t axis = 0; axis < axes; axis++) {
        const int16_t *first = samples + axis;
        sum += sum_above(first, count, axes, minus_sum(first, count, axes));
    }
    return 2 * sum / (count * count);
}
