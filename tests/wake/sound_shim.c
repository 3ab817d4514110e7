/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * app/wake/sound without its front end: a row of features is the first sample of its slice.
 */
#include "app/wake/config.h"
#include "drivers/sound/features.h"

#define BLOCKS 16

static int16_t history[BLOCKS * FEATURES_SLICE];
uint32_t shim_resets;
uint32_t shim_resumes;
uint32_t shim_slices;

const wake_config_t wake_config = {
    .sensor = "sound",
    .format = {.rate_hz = 16000, .axes = 1, .block = FEATURES_SLICE},
    .rows = 3,
    .columns = FEATURES_CHANNELS,
    .first = 0,
    .last = FEATURES_CHANNELS,
    .before = 8,
    .history = history,
    .history_blocks = BLOCKS,
    .codes = {{.multiplier = 2, .shift = 1, .zero_point = 0, .low = -128, .high = 127}},
};

void features_reset(void)
{
    shim_resets++;
}

void features_resume(void)
{
    shim_resumes++;
}

bool features_slice(const int16_t *samples, uint16_t row[FEATURES_CHANNELS])
{
    shim_slices++;
    for (uint32_t i = 0; i < FEATURES_CHANNELS; i++) {
        row[i] = (uint16_t)samples[0];
    }
    return true;
}
