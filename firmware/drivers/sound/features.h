/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The sound features that the public wake-word models were trained on: 40 channels every 10 ms from
 * windows of 30 ms at 16 kHz, by the TensorFlow audio front end (firmware/third_party.toml), with
 * tables that the build makes. Bit-equal to pymicro_features. One instance; no heap.
 */
#ifndef DRIVERS_SOUND_FEATURES_H
#define DRIVERS_SOUND_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

#define FEATURES_SLICE    160 /* samples: 10 ms */
#define FEATURES_CHANNELS 40

/* Forgets everything that was heard, the estimate of the noise included. */
void features_reset(void);

/* Forgets what was heard but keeps the estimate of the noise: time has passed unheard. */
void features_resume(void);

/* Takes FEATURES_SLICE samples. True: a row is complete (not yet after the first two slices). */
bool features_slice(const int16_t *samples, uint16_t row[FEATURES_CHANNELS]);

#endif
