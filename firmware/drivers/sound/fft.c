/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The transform that the front end calls. Its own is C++ and allocates; here tables are constants
 * and the transform works in place of its input.
 */
#include "tensorflow/lite/experimental/microfrontend/lib/fft.h"

#include <string.h>

#include "drivers/sound/tables.h"
#include "kissfft/tools/kiss_fftr.cc" /* its state is private to it */

/* kissfft never writes to its state, but has no const. */
static const struct kiss_fftr_state real_transform = {
    .substate = (kiss_fft_cfg)(uintptr_t)&features_transform,
    .tmpbuf = features_work.transformed,
    .super_twiddles = (kiss_fft_cpx *)(uintptr_t)features_super_twiddles,
};

/* Multiplied as bits: a sample that is scaled up never overflows, as the shift comes from the
 * largest. */
static int16_t shifted(int16_t sample, int shift)
{
    return (int16_t)(uint16_t)((uint32_t)(uint16_t)sample << shift);
}

void FftCompute(struct FftState *state, const int16_t *input, int input_scale_shift)
{
    for (size_t i = 0; i < state->input_size; i++) {
        state->input[i] = shifted(input[i], input_scale_shift);
    }
    memset(state->input + state->input_size, 0,
           (state->fft_size - state->input_size) * sizeof *state->input);
    kiss_fftr((kiss_fftr_cfg)(uintptr_t)&real_transform, state->input, features_spectrum.spectrum);
}

/* Every window overwrites all of it. */
void FftReset(struct FftState *state)
{
    (void)state;
}
