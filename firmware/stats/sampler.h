/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Which inputs are worth keeping: a few at random, and those that the model was not sure of.
 */
#ifndef STATS_SAMPLER_H
#define STATS_SAMPLER_H

#include <stdint.h>

typedef struct {
    uint16_t permille; /* of all inputs, at random: 10 .. 50; 0: none */
    uint8_t low;       /* a score of 255 below this is worth keeping; 0: none */
    uint16_t every;    /* at least so many inferences between two that are kept; 0: no limit */
} sampler_config_t;

typedef enum { SAMPLE_NO, SAMPLE_RANDOM, SAMPLE_LOW } sample_why_t;

/* Members are private. */
typedef struct {
    uint32_t random;
    uint32_t since;
} sampler_t;

void sampler_start(sampler_t *sampler, uint32_t seed);

/* Whether to keep the input of an inference whose best score is this. */
sample_why_t sampler_choose(sampler_t *sampler, const sampler_config_t *config, uint8_t score);

#endif
