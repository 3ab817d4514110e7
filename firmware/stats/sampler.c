/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See sampler.h.
 */
#include "stats/sampler.h"

#include <stdbool.h>

#define SEED     0x6C078965u /* in place of 0, from which xorshift never gets away */
#define PERMILLE 1000u

void sampler_start(sampler_t *sampler, uint32_t seed)
{
    *sampler = (sampler_t){.random = seed != 0 ? seed : SEED, .since = UINT32_MAX};
}

/* 0 .. 999. xorshift32: Marsaglia, Xorshift RNGs, 2003. */
static uint32_t next_permille(sampler_t *sampler)
{
    uint32_t x = sampler->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    sampler->random = x;
    return (x >> 12) * PERMILLE >> 20;
}

/* One number is drawn an inference whatever it was like: the random ones stay independent of it. */
sample_why_t sampler_choose(sampler_t *sampler, const sampler_config_t *config, uint8_t score)
{
    bool random = next_permille(sampler) < config->permille;
    if (sampler->since < config->every) {
        sampler->since++;
        return SAMPLE_NO;
    }
    if (score >= config->low && !random) {
        return SAMPLE_NO;
    }
    sampler->since = 0;
    return score < config->low ? SAMPLE_LOW : SAMPLE_RANDOM;
}
