/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * From features to the int8 codes that a model takes, without floats. The numbers of a rule come
 * from torpor.features.code_rule(), which proves that they give what floats give, for every value.
 */
#ifndef DRIVERS_SOUND_CODES_H
#define DRIVERS_SOUND_CODES_H

#include <stdint.h>

/* code = clamp(((value * multiplier + half of 2^shift) >> shift) + zero_point) */
typedef struct {
    uint32_t multiplier; /* value * multiplier + half stays below 2^32 for every uint16_t */
    uint8_t shift;       /* at least 1 */
    int8_t zero_point;
} code_rule_t;

void features_codes(const code_rule_t *rule, const uint16_t *values, uint32_t count, int8_t *codes);

#endif
