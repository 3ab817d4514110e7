/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What the front end is told at build time, and the memory that it works in. The build computes the
 * tables on the computer that it runs on (host/torpor/features/tables.c), with the front end's own
 * code: floats and a heap stay there. They come as gen/features.c.
 */
#ifndef DRIVERS_SOUND_TABLES_H
#define DRIVERS_SOUND_TABLES_H

#include <stdint.h>

#include "kissfft/_kiss_fft_guts.h"
#include "tensorflow/lite/experimental/microfrontend/lib/frontend.h"

#define FEATURES_WINDOW    480 /* samples: 30 ms */
#define FEATURES_TRANSFORM 512 /* real numbers that are transformed at once */
#define FEATURES_COMPLEX   (FEATURES_TRANSFORM / 2)
#define FEATURES_BINS      (FEATURES_TRANSFORM / 2 + 1)

/* A kiss_fft_state with all of its twiddles. */
typedef struct {
    int nfft;
    int inverse;
    int factors[2 * MAXFACTORS];
    kiss_fft_cpx twiddles[FEATURES_COMPLEX];
} features_transform_t;

/* Members of gen/features.c: the state at the start, with pointers to tables and memory. */
extern const features_transform_t features_transform;
extern const kiss_fft_cpx features_super_twiddles[FEATURES_COMPLEX / 2];
extern struct FrontendState features_frontend;

/* One place for what is needed one after the other: the samples under their window, what is
 * transformed, the spectrum, the energies. Each step reads an element before it writes there, or
 * has copied what it needs to features_work. */
typedef union {
    int16_t samples[FEATURES_TRANSFORM];
    kiss_fft_cpx spectrum[FEATURES_BINS];
    struct complex_int16_t output[FEATURES_BINS];
} features_spectrum_t;

/* And one for what the transform makes of the samples, and then the sums of the channels. */
typedef union {
    kiss_fft_cpx transformed[FEATURES_COMPLEX];
    uint64_t sums[FEATURES_COMPLEX / 2];
} features_work_t;

extern int16_t features_samples[FEATURES_WINDOW];
extern features_spectrum_t features_spectrum;
extern features_work_t features_work;
extern uint32_t features_noise[];

#endif
