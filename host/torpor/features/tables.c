/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A program of the build: lets the front end compute its tables, with floats and a heap, and prints
 * them as the C file that drivers/sound/tables.h declares.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/sound/features.h"
#include "drivers/sound/tables.h"
#include "kissfft/kiss_fft.cc"
#include "kissfft/tools/kiss_fftr.cc"
#include "tensorflow/lite/experimental/microfrontend/lib/frontend_util.h"

#define RATE_HZ     16000
#define LINE_VALUES 12

/* What pymicro_features 2.0.2 is configured with, and models were trained on. */
static const struct FrontendConfig configuration = {
    .window = {.size_ms = 30, .step_size_ms = 10},
    .filterbank = {.num_channels = FEATURES_CHANNELS,
                   .lower_band_limit = 125.0f,
                   .upper_band_limit = 7500.0f},
    .noise_reduction = {.smoothing_bits = 10,
                        .even_smoothing = 0.025f,
                        .odd_smoothing = 0.06f,
                        .min_signal_remaining = 0.05f},
    .pcan_gain_control = {.enable_pcan = 1, .strength = 0.95f, .offset = 80.0f, .gain_bits = 21},
    .log_scale = {.enable_log = 1, .scale_shift = 6},
};

/* What the front end has in C++. A window is transformed as 2^n numbers. */
int FftPopulateState(struct FftState *state, size_t input_size)
{
    state->input_size = input_size;
    for (state->fft_size = 1; state->fft_size < input_size; state->fft_size *= 2) {
    }
    (void)kiss_fftr_alloc((int)state->fft_size, 0, NULL, &state->scratch_size);
    state->scratch = malloc(state->scratch_size);
    return state->scratch != NULL &&
           kiss_fftr_alloc((int)state->fft_size, 0, state->scratch, &state->scratch_size) != NULL;
}

void FftInit(struct FftState *state)
{
    (void)state;
}

void FftFreeStateContents(struct FftState *state)
{
    free(state->scratch);
}

/* Nothing was heard yet. */
void FrontendReset(struct FrontendState *state)
{
    (void)state;
}

static void print_values(const int16_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%s%d,", i % LINE_VALUES == 0 ? "\n    " : " ", values[i]);
    }
}

static void print_table(const char *name, const int16_t *values, size_t count)
{
    printf("static const int16_t %s[%zu] = {", name, count);
    print_values(values, count);
    printf("\n};\n\n");
}

static void print_complex(const kiss_fft_cpx *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%s{%d, %d},", i % (LINE_VALUES / 2) == 0 ? "\n    " : " ", values[i].r,
               values[i].i);
    }
}

static void print_transform(const struct kiss_fftr_state *state)
{
    const struct kiss_fft_state *complex = state->substate;
    printf("const features_transform_t features_transform = {\n    .nfft = %d,\n    .factors = {",
           complex->nfft);
    for (int i = 0, rest = 0; rest != 1; i += 2) { /* (radix, what is left), down to 1 */
        rest = complex->factors[i + 1];
        printf("%d, %d, ", complex->factors[i], rest);
    }
    printf("},\n    .twiddles = {");
    print_complex(complex->twiddles, (size_t)complex->nfft);
    printf("}};\n\nconst kiss_fft_cpx features_super_twiddles[FEATURES_COMPLEX / 2] = {");
    print_complex(state->super_twiddles, (size_t)complex->nfft / 2);
    printf("\n};\n\n");
}

/* Weights are as many as the channel needs that ends last. */
static size_t weights_of(const struct FilterbankState *bank)
{
    int most = 0;
    for (int i = 0; i <= bank->num_channels; i++) {
        int end = bank->channel_weight_starts[i] + bank->channel_widths[i];
        most = end > most ? end : most;
    }
    return (size_t)most;
}

static void print_tables(const struct FrontendState *state)
{
    const struct FilterbankState *bank = &state->filterbank;
    size_t channels = (size_t)bank->num_channels + 1;
    print_table("coefficients", state->window.coefficients, state->window.size);
    print_table("frequency_starts", bank->channel_frequency_starts, channels);
    print_table("weight_starts", bank->channel_weight_starts, channels);
    print_table("widths", bank->channel_widths, channels);
    print_table("weights", bank->weights, weights_of(bank));
    print_table("unweights", bank->unweights, weights_of(bank));
    print_table("gains", state->pcan_gain_control.gain_lut, kWideDynamicFunctionLUTSize);
    print_transform((const struct kiss_fftr_state *)state->fft.scratch);
}

static void print_window(const struct FrontendState *state)
{
    printf("    .window = {.size = %zu,\n"
           "               .coefficients = (int16_t *)coefficients,\n"
           "               .step = %zu,\n"
           "               .input = features_samples,\n"
           "               .output = features_spectrum.samples},\n",
           state->window.size, state->window.step);
    printf("    .fft = {.input = features_spectrum.samples,\n"
           "            .output = features_spectrum.output,\n"
           "            .fft_size = %zu,\n"
           "            .input_size = %zu},\n",
           state->fft.fft_size, state->fft.input_size);
}

static void print_filterbank(const struct FilterbankState *bank)
{
    printf("    .filterbank = {.num_channels = %d,\n"
           "                   .start_index = %d,\n"
           "                   .end_index = %d,\n"
           "                   .channel_frequency_starts = (int16_t *)frequency_starts,\n"
           "                   .channel_weight_starts = (int16_t *)weight_starts,\n"
           "                   .channel_widths = (int16_t *)widths,\n"
           "                   .weights = (int16_t *)weights,\n"
           "                   .unweights = (int16_t *)unweights,\n"
           "                   .work = features_work.sums},\n",
           bank->num_channels, bank->start_index, bank->end_index);
}

static void print_gains(const struct FrontendState *state)
{
    const struct NoiseReductionState *noise = &state->noise_reduction;
    const struct PcanGainControlState *gain = &state->pcan_gain_control;
    printf("    .noise_reduction = {.smoothing_bits = %d,\n"
           "                        .even_smoothing = %d,\n"
           "                        .odd_smoothing = %d,\n"
           "                        .min_signal_remaining = %d,\n"
           "                        .num_channels = %d,\n"
           "                        .estimate = features_noise},\n",
           noise->smoothing_bits, noise->even_smoothing, noise->odd_smoothing,
           noise->min_signal_remaining, noise->num_channels);
    printf("    .pcan_gain_control = {.enable_pcan = %d,\n"
           "                          .noise_estimate = features_noise,\n"
           "                          .num_channels = %d,\n"
           "                          .gain_lut = (int16_t *)gains,\n"
           "                          .snr_shift = %d},\n",
           gain->enable_pcan, gain->num_channels, (int)gain->snr_shift);
    printf("    .log_scale = {.enable_log = %d, .scale_shift = %d},\n", state->log_scale.enable_log,
           state->log_scale.scale_shift);
}

static bool is_as_declared(const struct FrontendState *state)
{
    return state->window.size == FEATURES_WINDOW && state->window.step == FEATURES_SLICE &&
           state->fft.fft_size == FEATURES_TRANSFORM && state->filterbank.end_index < FEATURES_BINS;
}

int main(void)
{
    static struct FrontendState state;
    if (!FrontendPopulateState(&configuration, &state, RATE_HZ) || !is_as_declared(&state)) {
        fprintf(stderr, "the front end does not fit drivers/sound/tables.h\n");
        return 1;
    }
    printf("/* Made by the front end itself (host/torpor/features/tables.c). Do not edit. */\n"
           "#include \"drivers/sound/tables.h\"\n\n");
    print_tables(&state);
    printf("struct FrontendState features_frontend = {\n");
    print_window(&state);
    print_filterbank(&state.filterbank);
    print_gains(&state);
    printf("};\n");
    FrontendFreeStateContents(&state);
    return 0;
}
