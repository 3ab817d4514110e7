/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What an interval was like, in a few numbers. Integers only; host/torpor/stats/summary.py computes
 * the same ones. RAM: below 256 bytes.
 */
#ifndef STATS_SUMMARY_H
#define STATS_SUMMARY_H

#include <stdint.h>

#define SUMMARY_CLASSES      12
#define SUMMARY_SCORE_BINS   32
#define SUMMARY_LATENCY_BINS 32
#define SUMMARY_SPARSE_BYTES 20
#define SUMMARY_MOST         0x3FFFFFu /* inferences of an interval; more are not counted */

/* All zero is empty. Members are private. Counts of classes and errors stay at their largest value;
 * histograms are halved when a bin is full. Bin i of the scores begins at 8 * i. Bin 0 of the
 * latencies is below 64 microseconds, then there are two an octave: from 64, 96, 128, 192, ... on;
 * the last one, from 2^21 microseconds on, has no end. */
typedef struct {
    uint16_t classes[SUMMARY_CLASSES];
    uint16_t scores[SUMMARY_SCORE_BINS];
    uint16_t latencies[SUMMARY_LATENCY_BINS];
    uint32_t score_sum;
    uint32_t inferences;
    uint16_t errors;
} summary_t;

typedef struct {
    uint32_t inferences;
    /* Counts per class that are not 0, the largest first: (class, count) as one byte and LEB128.
     * What does not fit is left out, smallest first. Classes from SUMMARY_CLASSES on have none. */
    uint8_t sparse[SUMMARY_SPARSE_BYTES];
    uint32_t sparse_bytes;
    uint16_t score_mean; /* permille */
    uint16_t score_low;  /* 10 % quantile, permille: the lower end of its bin */
    uint32_t latency_50; /* microseconds: upper ends of the quantiles' bins, UINT32_MAX: none */
    uint32_t latency_95;
    uint16_t errors;
} summary_figures_t;

/* An inference: the best class, its score of 255, and from the end of the window to the scores in
 * microseconds. */
void summary_inference(summary_t *summary, uint32_t best, uint8_t score, uint32_t latency_us);

/* An inference that failed. */
void summary_error(summary_t *summary);

/* The figures so far; all 0 where there was nothing. */
summary_figures_t summary_figures(const summary_t *summary);

/* Begins a new interval. */
void summary_begin(summary_t *summary);

#endif
