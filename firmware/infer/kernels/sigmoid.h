/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Sigmoid and hyperbolic tangent of 16-bit numbers by a table of 256 numbers (see plan.h) and
 * straight lines between them. Whatever the table holds, nothing overflows.
 * Semantics: TFLM kernels/internal/reference/integer_ops/logistic.h and tanh.h.
 */
#ifndef INFER_KERNELS_SIGMOID_H
#define INFER_KERNELS_SIGMOID_H

#include <stdint.h>

#define SIGMOID_LAST 255u /* from this number of the table on, the function counts as 1 */

/* round(x * multiplier / 2^shift), halves upwards; x is int16, the others as in plan_logistic_t. */
static inline int32_t sigmoid_argument(int32_t x, uint32_t multiplier, uint32_t shift)
{
    int32_t half = (int32_t)((1u << shift) >> 1);
    return (x * (int32_t)multiplier + half) >> shift;
}

static inline uint32_t magnitude(int32_t x)
{
    return x < 0 ? 0u - (uint32_t)x : (uint32_t)x;
}

/* 1 / (1 + exp(-x)) in Q0.15, x in units of 1/12288. */
static inline int16_t sigmoid_q15(const uint16_t *table, int32_t x)
{
    uint32_t i = magnitude(x) >> 9;
    int32_t y = INT16_MAX << 10;
    if (i < SIGMOID_LAST) {
        int32_t rest = (int32_t)(magnitude(x) & 511);
        y = ((int32_t)table[i] << 9) + rest * ((int32_t)table[i + 1] - table[i]);
    }
    y = x >= 0 ? y + 512 : (1 << 25) - y + 511;
    return (int16_t)(y >> 10);
}

/* tanh(x) in Q0.15, x in units of 1/12288: 2 * sigmoid(2 * x) - 1. */
static inline int16_t tanh_q15(const uint16_t *table, int32_t x)
{
    uint32_t i = magnitude(x) >> 8;
    int32_t y = UINT16_MAX << 8;
    if (i < SIGMOID_LAST) {
        int32_t rest = (int32_t)(magnitude(x) & 255);
        y = ((int32_t)table[i] << 8) + rest * ((int32_t)table[i + 1] - table[i]);
    }
    y -= 1 << 23;
    y = x >= 0 ? y + 128 : 127 - y;
    return (int16_t)(y >> 8);
}

#endif
