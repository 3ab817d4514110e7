/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See summary.h.
 */
#include "stats/summary.h"

#include <stdbool.h>
#include <string.h>

#include "stats/histogram.h"

#define SCORE_ONE       255u
#define SCORE_WIDTH     (256 / SUMMARY_SCORE_BINS)
#define PERMILLE        1000u
#define LATENCY_OCTAVE  6 /* bin 1 begins at 2^6 microseconds */
#define LEB128_CONTINUE 0x80u

/* Bin 0: below 64 microseconds. Then two an octave: from 64, 96, 128, 192, ... on. */
static uint32_t latency_bin(uint32_t us)
{
    uint32_t octave = 0;
    uint32_t scaled = us >> LATENCY_OCTAVE;
    if (scaled == 0) {
        return 0;
    }
    while (scaled > 1) {
        scaled >>= 1;
        octave++;
    }
    uint32_t half = us >> (octave + LATENCY_OCTAVE - 1) & 1u;
    uint32_t bin = 1 + 2 * octave + half;
    return bin < SUMMARY_LATENCY_BINS ? bin : SUMMARY_LATENCY_BINS - 1;
}

/* The last bin has no upper end. */
static uint32_t latency_end(uint32_t bin)
{
    if (bin == SUMMARY_LATENCY_BINS - 1) {
        return UINT32_MAX;
    }
    uint32_t octave = 1u << (LATENCY_OCTAVE + bin / 2);
    return bin % 2 == 0 ? octave : octave + octave / 2;
}

void summary_inference(summary_t *summary, uint32_t best, uint8_t score, uint32_t latency_us)
{
    if (summary->inferences == SUMMARY_MOST) {
        return;
    }
    summary->inferences++;
    summary->score_sum += score;
    if (best < SUMMARY_CLASSES && summary->classes[best] < UINT16_MAX) {
        summary->classes[best]++;
    }
    histogram_add(summary->scores, SUMMARY_SCORE_BINS, score / SCORE_WIDTH);
    histogram_add(summary->latencies, SUMMARY_LATENCY_BINS, latency_bin(latency_us));
}

void summary_error(summary_t *summary)
{
    if (summary->errors < UINT16_MAX) {
        summary->errors++;
    }
}

/* The class with the largest count of those that are not `done`, a bit each; SUMMARY_CLASSES: all
 * others are 0. Of equal ones the first. */
static uint32_t largest_class(const summary_t *summary, uint32_t done)
{
    uint32_t found = SUMMARY_CLASSES;
    uint32_t count = 0;
    for (uint32_t i = 0; i < SUMMARY_CLASSES; i++) {
        if ((done >> i & 1u) == 0 && summary->classes[i] > count) {
            count = summary->classes[i];
            found = i;
        }
    }
    return found;
}

/* Appends a class and its count. False: there is no room. */
static bool put_class(summary_figures_t *figures, uint32_t index, uint32_t count)
{
    uint8_t bytes[4] = {(uint8_t)index};
    uint32_t length = 1;
    for (; count >= LEB128_CONTINUE; count >>= 7) {
        bytes[length++] = (uint8_t)(count | LEB128_CONTINUE);
    }
    bytes[length++] = (uint8_t)count;
    if (figures->sparse_bytes + length > sizeof figures->sparse) {
        return false;
    }
    memcpy(&figures->sparse[figures->sparse_bytes], bytes, length);
    figures->sparse_bytes += length;
    return true;
}

static void put_classes(const summary_t *summary, summary_figures_t *figures)
{
    uint32_t done = 0;
    uint32_t index = largest_class(summary, done);
    while (index < SUMMARY_CLASSES && put_class(figures, index, summary->classes[index])) {
        done |= 1u << index;
        index = largest_class(summary, done);
    }
}

/* Rounded to the nearest; whole and rest apart, so that nothing overflows. */
static uint16_t score_mean(const summary_t *summary)
{
    uint32_t whole = summary->score_sum / summary->inferences;
    uint32_t rest = summary->score_sum % summary->inferences;
    uint32_t scaled = whole * PERMILLE + rest * PERMILLE / summary->inferences;
    return (uint16_t)((scaled + SCORE_ONE / 2) / SCORE_ONE);
}

static uint16_t score_low(const summary_t *summary)
{
    uint32_t bin = histogram_quantile(summary->scores, SUMMARY_SCORE_BINS, 10);
    return (uint16_t)((bin * SCORE_WIDTH * PERMILLE + SCORE_ONE / 2) / SCORE_ONE);
}

static uint32_t latency(const summary_t *summary, uint32_t percent)
{
    return latency_end(histogram_quantile(summary->latencies, SUMMARY_LATENCY_BINS, percent));
}

summary_figures_t summary_figures(const summary_t *summary)
{
    summary_figures_t figures = {
        .inferences = summary->inferences,
        .errors = summary->errors,
    };
    if (summary->inferences != 0) {
        put_classes(summary, &figures);
        figures.score_mean = score_mean(summary);
        figures.score_low = score_low(summary);
        figures.latency_50 = latency(summary, 50);
        figures.latency_95 = latency(summary, 95);
    }
    return figures;
}

void summary_begin(summary_t *summary)
{
    *summary = (summary_t){0};
}
