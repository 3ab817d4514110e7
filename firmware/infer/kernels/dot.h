/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Inner products of activations and weights that lie in a row. Accumulators are unsigned because
 * they may wrap (never with a sane model; see requantize.h).
 */
#ifndef INFER_KERNELS_DOT_H
#define INFER_KERNELS_DOT_H

#include <stdint.h>

#include "infer/kernels/inline.h"

/* (x + x_offset) * w as a summand. */
static inline uint32_t product(int32_t x, int32_t x_offset, int32_t w)
{
    return (uint32_t)((x + x_offset) * w);
}

/* acc + sum of (x[i] + x_offset) * (w[first + i] + w_offset) for i < n, w being the codes of one
 * row of weights. */
typedef uint32_t dot_t(uint32_t acc, const int8_t *x, int32_t x_offset, const uint8_t *row,
                       uint32_t first, int32_t w_offset, uint32_t n);

INFER_TEMPLATE uint32_t dot_s8(uint32_t acc, const int8_t *x, int32_t x_offset, const uint8_t *row,
                               uint32_t first, int32_t w_offset, uint32_t n)
{
    const int8_t *w = (const int8_t *)row + first;
    const int8_t *end = x + n;
    const int8_t *end4 = x + (n & ~3u);
    while (x < end4) {
        acc += product(x[0], x_offset, w[0] + w_offset);
        acc += product(x[1], x_offset, w[1] + w_offset);
        acc += product(x[2], x_offset, w[2] + w_offset);
        acc += product(x[3], x_offset, w[3] + w_offset);
        x += 4;
        w += 4;
    }
    while (x < end) {
        acc += product(*x++, x_offset, *w++ + w_offset);
    }
    return acc;
}

/* Codes of the two nibbles of a byte. */
static inline int32_t low_nibble(uint8_t byte)
{
    return (int32_t)((uint32_t)byte << 28) >> 28;
}

static inline int32_t high_nibble(uint8_t byte)
{
    return (int32_t)((uint32_t)byte << 24) >> 28;
}

/* Code number i of a packed row. */
static inline int32_t nibble(const uint8_t *row, uint32_t i)
{
    uint8_t byte = row[i / 2];
    return i % 2 == 0 ? low_nibble(byte) : high_nibble(byte);
}

INFER_TEMPLATE uint32_t dot_s4(uint32_t acc, const int8_t *x, int32_t x_offset, const uint8_t *row,
                               uint32_t first, int32_t w_offset, uint32_t n)
{
    if (first % 2 != 0 && n != 0) {
        acc += product(*x++, x_offset, nibble(row, first) + w_offset);
        first++;
        n--;
    }
    const uint8_t *w = row + first / 2;
    const int8_t *end = x + (n & ~1u);
    while (x < end) {
        acc += product(x[0], x_offset, low_nibble(*w) + w_offset);
        acc += product(x[1], x_offset, high_nibble(*w) + w_offset);
        x += 2;
        w++;
    }
    return n % 2 != 0 ? acc + product(*x, x_offset, low_nibble(*w) + w_offset) : acc;
}

#endif
