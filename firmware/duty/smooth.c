/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See smooth.h.
 */
#include "duty/smooth.h"

#include <string.h>

#define NONE SMOOTH_CLASSES

void smooth_begin(smooth_t *smooth)
{
    memset(smooth->scores, 0, sizeof smooth->scores);
}

/* A row that is not used is all zero, so that windows that are not there count as 0. */
static uint8_t *next_row(smooth_t *smooth, const smooth_config_t *config)
{
    uint8_t *row = smooth->scores[smooth->next];
    smooth->next = (uint8_t)(smooth->next + 1u < config->windows ? smooth->next + 1u : 0);
    memset(row, 0, SMOOTH_CLASSES);
    return row;
}

void smooth_skip(smooth_t *smooth, const smooth_config_t *config)
{
    next_row(smooth, config);
}

static uint32_t sum_of(const smooth_t *smooth, uint32_t class, uint32_t windows)
{
    uint32_t sum = 0;
    for (uint32_t window = 0; window < windows; window++) {
        sum += smooth->scores[window][class];
    }
    return sum;
}

static uint32_t best_of(const uint8_t *row)
{
    uint32_t best = 0;
    for (uint32_t class = 1; class < SMOOTH_CLASSES; class++) {
        best = row[class] > row[best] ? class : best;
    }
    return best;
}

static bool is_ignored(const smooth_config_t *config, uint32_t class)
{
    return (config->ignored >> class & 1) != 0;
}

static uint32_t by_mean(const smooth_t *smooth, const smooth_config_t *config)
{
    uint32_t best = NONE;
    uint32_t best_sum = 0;
    for (uint32_t class = 0; class < SMOOTH_CLASSES; class++) {
        uint32_t sum = is_ignored(config, class) ? 0 : sum_of(smooth, class, config->windows);
        if (sum > best_sum) {
            best = class;
            best_sum = sum;
        }
    }
    return best_sum >= (uint32_t)config->cutoff * config->windows ? best : NONE;
}

/* More than half: there is one at most. A window in which all scores are 0 votes for nobody. */
static uint32_t by_majority(const smooth_t *smooth, const smooth_config_t *config)
{
    uint8_t votes[SMOOTH_CLASSES] = {0};
    for (uint32_t window = 0; window < config->windows; window++) {
        const uint8_t *row = smooth->scores[window];
        uint32_t best = best_of(row);
        votes[best] = (uint8_t)(votes[best] + (row[best] > 0 && row[best] >= config->cutoff));
        if (2u * votes[best] > config->windows && !is_ignored(config, best)) {
            return best;
        }
    }
    return NONE;
}

bool smooth_update(smooth_t *smooth, const smooth_config_t *config, uint64_t now_ms,
                   const uint8_t *scores, uint32_t classes, decision_t *decision)
{
    uint8_t *row = next_row(smooth, config);
    memcpy(row, scores, classes < SMOOTH_CLASSES ? classes : SMOOTH_CLASSES);
    uint32_t best =
        config->kind == SMOOTH_MEAN ? by_mean(smooth, config) : by_majority(smooth, config);
    if (best == NONE || now_ms < smooth->free_at[best]) {
        return false;
    }
    smooth->free_at[best] = now_ms + config->refractory_ms;
    smooth->has_last = true;
    smooth->last.best = (uint8_t)best;
    smooth->last.score = (uint8_t)(sum_of(smooth, best, config->windows) / config->windows);
    smooth->last.time = now_ms;
    *decision = smooth->last;
    return true;
}

bool smooth_last(const smooth_t *smooth, const smooth_config_t *config, uint64_t now_ms,
                 decision_t *decision)
{
    if (!smooth->has_last || now_ms - smooth->last.time >= config->expiry_ms) {
        return false;
    }
    *decision = smooth->last;
    return true;
}
