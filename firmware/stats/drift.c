/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See drift.h. With p and q the shares of a bin in the field and in the training, the index of a
 * channel is the sum over its bins of (p - q) * ln(p / q). No share is 0: both are 1 + 247 f of
 * 255, where f is what was counted, so that data as in training has an index near 0 even where bins
 * are empty. Logarithms are in base 2 with 15 bits behind the point until the end.
 */
#include "stats/drift.h"

#include <stddef.h>

#include "stats/histogram.h"

_Static_assert(sizeof(drift_reference_t) == 124, "the reference is part of the format");

#define VERSION    1
#define SHARES     255u
#define FREE       (SHARES - DRIFT_BINS) /* what is left when every bin has one */
#define LEAST_ROWS 32
#define POINT      15 /* bits behind it */
#define STEPS_LOG2 5  /* of the table */

/* Entry i: log2(1 + i / 32). */
static const uint16_t logarithms[(1 << STEPS_LOG2) + 1] = {
    0,     1455,  2866,  4236,  5568,  6863,  8124,  9352,  10549, 11716, 12855,
    13968, 15055, 16117, 17156, 18173, 19168, 20143, 21098, 22034, 22952, 23852,
    24736, 25604, 26455, 27292, 28114, 28922, 29717, 30498, 31267, 32024, 32768,
};

/* log2(x) of x >= 1, on straight lines between the entries: at most 0.0002 too small. */
static int32_t log2_of(uint32_t x)
{
    uint32_t whole = 31;
    while ((x & 0x80000000u) == 0) {
        x <<= 1;
        whole--;
    }
    const uint16_t *entry = &logarithms[(x << 1) >> (32 - STEPS_LOG2)];
    uint32_t between = (x >> (31 - STEPS_LOG2 - 16)) & 0xFFFFu;
    uint32_t part = entry[0] + ((uint32_t)(entry[1] - entry[0]) * between >> 16);
    return (int32_t)((whole << POINT) + part);
}

static bool channel_ok(const drift_reference_t *reference, uint32_t channel)
{
    const int8_t *edges = reference->edges[channel];
    uint32_t sum = reference->shares[channel][0];
    bool good = sum != 0;
    for (uint32_t i = 1; i < DRIFT_BINS; i++) {
        good =
            good && reference->shares[channel][i] != 0 && (i == 1 || edges[i - 1] >= edges[i - 2]);
        sum += reference->shares[channel][i];
    }
    return good && sum == SHARES;
}

static bool reference_ok(const drift_reference_t *reference, uint32_t bytes)
{
    if (reference == NULL || bytes < sizeof *reference || reference->version != VERSION ||
        reference->channels == 0 || reference->channels > DRIFT_CHANNELS) {
        return false;
    }
    for (uint32_t i = 0; i < reference->channels; i++) {
        if (!channel_ok(reference, i)) {
            return false;
        }
    }
    return true;
}

bool drift_open(drift_t *drift, const void *reference, uint32_t bytes)
{
    bool good = reference_ok(reference, bytes);
    *drift = (drift_t){.reference = good ? reference : NULL};
    return good;
}

static uint32_t find_bin(const int8_t *edges, int8_t code)
{
    uint32_t bin = 0;
    while (bin < DRIFT_BINS - 1 && code >= edges[bin]) {
        bin++;
    }
    return bin;
}

static void add_row(drift_t *drift, const int8_t *codes, uint32_t group)
{
    const drift_reference_t *reference = drift->reference;
    for (uint32_t channel = 0; channel < reference->channels; channel++) {
        for (uint32_t i = 0; i < group; i++) {
            uint32_t bin = find_bin(reference->edges[channel], *codes);
            histogram_add(drift->counts[channel], DRIFT_BINS, bin);
            codes++;
        }
    }
}

void drift_add(drift_t *drift, const int8_t *codes, uint32_t rows, uint32_t channels)
{
    if (drift->reference == NULL || channels == 0 || channels % drift->reference->channels != 0) {
        return;
    }
    uint32_t group = channels / drift->reference->channels;
    for (uint32_t row = 0; row < rows; row++) {
        add_row(drift, &codes[row * channels], group);
    }
    uint32_t room = LEAST_ROWS - drift->rows;
    drift->rows = (uint8_t)(drift->rows + (rows < room ? rows : room));
}

/* (p - q) * log2(p / q) of a bin: never below 0. */
static uint32_t bin_index(uint32_t count, uint32_t total, uint32_t share)
{
    uint32_t f = ((count << POINT) + total / 2) / total;
    uint32_t p = ((1u << POINT) + FREE * f + SHARES / 2) / SHARES;
    uint32_t q = ((share << POINT) + SHARES / 2) / SHARES;
    int32_t ratio = log2_of(total + FREE * count) - log2_of(total) - log2_of(share);
    int64_t product = (int64_t)((int32_t)p - (int32_t)q) * ratio;
    return product > 0 ? (uint32_t)((uint64_t)product >> POINT) : 0;
}

static uint32_t channel_index(const uint16_t *counts, const uint8_t *shares)
{
    uint32_t total = histogram_total(counts, DRIFT_BINS);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < DRIFT_BINS; i++) {
        sum += bin_index(counts[i], total, shares[i]);
    }
    return sum;
}

uint16_t drift_index(const drift_t *drift)
{
    const drift_reference_t *reference = drift->reference;
    if (reference == NULL || drift->rows < LEAST_ROWS) {
        return DRIFT_UNKNOWN;
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < reference->channels; i++) {
        sum += channel_index(drift->counts[i], reference->shares[i]);
    }
    uint32_t mean = (sum + reference->channels) / (2u * reference->channels);
    /* 1000 * ln(2) is 5545 / 8; one bit less behind the point, and nothing overflows */
    return (uint16_t)((mean * 5545u + (1u << (POINT + 1))) >> (POINT + 2));
}

void drift_begin(drift_t *drift)
{
    *drift = (drift_t){.reference = drift->reference};
}
