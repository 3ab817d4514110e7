/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Sound features: feeds the front end slice by slice, in memory that is known at build time.
 */
#include "drivers/sound/features.h"

#include <string.h>

#include "drivers/sound/tables.h"

int16_t features_samples[FEATURES_WINDOW];
features_spectrum_t features_spectrum;
features_work_t features_work;
uint32_t features_noise[FEATURES_CHANNELS];

_Static_assert(FEATURES_WINDOW % FEATURES_SLICE == 0, "a window ends with a slice");
_Static_assert(sizeof features_work >= (FEATURES_CHANNELS + 1) * sizeof(uint64_t), "all sums");

void features_reset(void)
{
    FrontendReset(&features_frontend);
}

void features_resume(void)
{
    WindowReset(&features_frontend.window);
}

bool features_slice(const int16_t *samples, uint16_t row[FEATURES_CHANNELS])
{
    size_t taken;
    struct FrontendOutput output =
        FrontendProcessSamples(&features_frontend, samples, FEATURES_SLICE, &taken);
    if (output.size == 0) {
        return false;
    }
    memcpy(row, output.values, FEATURES_CHANNELS * sizeof *row);
    return true;
}
