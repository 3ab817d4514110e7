/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How far the inputs of the field are from those of the training, as one number: the population
 * stability index, averaged over the channels, from histograms. The reference travels with the
 * model: infer_extra() of its plan. Integers only, logarithms by table; host/torpor/stats/drift.py
 * computes the same. RAM: below 512 bytes.
 *
 *   below 100 (0.100): as in training; 100 .. 250: watch it; above: the world has changed
 */
#ifndef STATS_DRIFT_H
#define STATS_DRIFT_H

#include <stdbool.h>
#include <stdint.h>

#define DRIFT_CHANNELS 8 /* of histograms; more input channels share them, in equal groups */
#define DRIFT_BINS     8
#define DRIFT_UNKNOWN  UINT16_MAX

/* The reference, as it lies in the plan: docs/SPEC.md. */
typedef struct {
    uint8_t version; /* 1 */
    uint8_t channels;
    uint8_t reserved[2];
    int8_t edges[DRIFT_CHANNELS][DRIFT_BINS - 1]; /* codes, ascending; bin i: below edge i */
    uint8_t shares[DRIFT_CHANNELS][DRIFT_BINS];   /* at least 1; together 255 */
} drift_reference_t;

/* Members are private. */
typedef struct {
    const drift_reference_t *reference;
    uint16_t counts[DRIFT_CHANNELS][DRIFT_BINS];
    uint8_t rows; /* counted no further than it matters */
} drift_t;

/* Takes a reference of `bytes` bytes (4-byte aligned), or NULL. False: there is none, or it is
 * malformed; then all is DRIFT_UNKNOWN. */
bool drift_open(drift_t *drift, const void *reference, uint32_t bytes);

/* Counts rows of input codes, [rows][channels]; `channels` is a multiple of the reference's, or
 * nothing is counted. A channel's counts are halved when one would overflow. */
void drift_add(drift_t *drift, const int8_t *codes, uint32_t rows, uint32_t channels);

/* The index in thousandths; DRIFT_UNKNOWN with less than 32 rows. */
uint16_t drift_index(const drift_t *drift);

/* Begins anew. */
void drift_begin(drift_t *drift);

#endif
