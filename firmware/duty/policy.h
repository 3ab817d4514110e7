/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How hard the device may work: from temperature and battery to the rate of inference and whether
 * stage 2 is allowed. Pure functions of numbers.
 *
 *   NORMAL  every hop               SLOW    hops are longer by slow_percent (20 .. 40 % less often)
 *   SAVING  as SLOW, and stage 2 only where stage 1 is positive
 *   RESTING no stage 2: the cached result, or the fallback, answers
 *
 * A level is entered at its threshold and left when the value is `hysteresis` on the good side of
 * it. Where stage 2 is not allowed but stage 1 wants it, the cached result or the fallback answers.
 */
#ifndef DUTY_POLICY_H
#define DUTY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

typedef enum { POLICY_NORMAL, POLICY_SLOW, POLICY_SAVING, POLICY_RESTING } policy_level_t;

/* Thresholds for SLOW, SAVING, RESTING, in this order, each at least as bad as the one before. */
typedef struct {
    int16_t hot[3];         /* enter at or above, 0.1 degrees Celsius */
    int16_t hot_hysteresis; /* 0.1 degrees */
    uint16_t low[3];        /* enter at or below, battery in permille */
    uint16_t low_hysteresis;
    uint8_t slow_percent; /* 20 .. 40 */
} policy_config_t;

/* What is measured; unknown values leave their part out, as if all was well with it. */
#define POLICY_NO_TEMPERATURE INT16_MIN
#define POLICY_NO_BATTERY     UINT16_MAX

typedef struct {
    int16_t temperature; /* 0.1 degrees Celsius */
    uint16_t battery;    /* permille */
} policy_input_t;

/* The next level, from the present one and what is measured. The worse of the two counts. It may be
 * several levels from the present one, in either direction. To give each value a hysteresis of its
 * own, ask for each with the other one unknown. */
policy_level_t policy_update(const policy_config_t *config, policy_level_t level,
                             policy_input_t input);

/* Blocks from one window to the next. `hop` blocks become hop / (1 - slow_percent / 100), rounded
 * to the nearest block and at least one more, except at NORMAL. What is promised is therefore kept
 * to half a block a hop, the same half each time: a hop of 1 becomes 2 (half the rate), of 2
 * becomes 3 (a third less), of 16 with 30 % becomes 23 (30.4 % less). */
uint32_t policy_hop(const policy_config_t *config, policy_level_t level, uint32_t hop);

/* Whether stage 2 may run. */
bool policy_allows(policy_level_t level, bool positive);

#endif
