/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See gate.h.
 */
#include "duty/gate.h"

gate_verdict_t gate_judge(const gate_config_t *config, uint32_t score)
{
    if (score < config->low) {
        return GATE_REJECT;
    }
    return score < config->high ? GATE_UNSURE : GATE_POSITIVE;
}

/* Rounded down, digit by digit in base 2: no division. */
static uint32_t square_root(uint64_t value)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 62; bit != 0; bit >>= 2) {
        uint64_t tried = root + bit;
        root >>= 1;
        if (value >= tried) {
            value -= tried;
            root += bit;
        }
    }
    return (uint32_t)root;
}

/* The variance is (count * squares - sum^2) / count^2. The root of the numerator, rounded down and
 * divided by count, is the root of the variance, rounded down: no 64-bit division. */
static uint32_t axis_deviation(const int16_t *samples, uint32_t count, uint32_t axes)
{
    int64_t sum = 0;
    uint64_t squares = 0;
    for (uint32_t i = 0; i < count; i++, samples += axes) {
        int32_t sample = *samples;
        sum += sample;
        squares += (uint32_t)(sample * sample);
    }
    return square_root(count * squares - (uint64_t)(sum * sum)) / count;
}

uint32_t gate_motion(const int16_t *samples, uint32_t count, uint32_t axes)
{
    uint32_t score = 0;
    for (uint32_t axis = 0; count > 0 && axis < axes; axis++) {
        score += axis_deviation(samples + axis, count, axes);
    }
    return score;
}

uint32_t gate_sound(const uint16_t *row, uint32_t first, uint32_t last)
{
    uint32_t sum = 0;
    for (uint32_t channel = first; channel < last; channel++) {
        sum += row[channel];
    }
    return first < last ? sum / (last - first) : 0;
}
