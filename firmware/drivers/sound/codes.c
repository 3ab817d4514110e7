/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * From features to codes.
 */
#include "drivers/sound/codes.h"

static int8_t code_of(const code_rule_t *rule, uint16_t value)
{
    uint32_t half = (uint32_t)1 << (rule->shift - 1);
    uint32_t scaled = (value * rule->multiplier + half) >> rule->shift;
    int32_t code = (int32_t)(scaled > 255u ? 255u : scaled) + rule->zero_point;
    return (int8_t)(code > INT8_MAX ? INT8_MAX : code);
}

void features_codes(const code_rule_t *rule, const uint16_t *values, uint32_t count, int8_t *codes)
{
    for (uint32_t i = 0; i < count; i++) {
        codes[i] = code_of(rule, values[i]);
    }
}
