/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Fixed-point arithmetic with exactly the roundings of the reference interpreter, which rounds
 * twice (TFLM: kernels/internal/common.cc and gemmlowp's fixedpoint.h). Arithmetic that a hostile
 * plan could make overflow wraps instead of being undefined. Shifts of negative numbers to the
 * right are arithmetic, as gcc and clang define them.
 */
#ifndef INFER_KERNELS_REQUANTIZE_H
#define INFER_KERNELS_REQUANTIZE_H

#include <stdint.h>

/* a + b, wrapping. */
static inline int32_t wrapping_add(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* a - b, wrapping. */
static inline int32_t wrapping_sub(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

/* a * b, wrapping. */
static inline int32_t wrapping_mul(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a * (uint32_t)b);
}

/* a << shift, wrapping; shift 0..31. */
static inline int32_t wrapping_shl(int32_t a, uint32_t shift)
{
    return (int32_t)((uint32_t)a << shift);
}

/* a * b / 2^31, rounded to the nearest, ties upwards; saturated in the one case that overflows. */
static inline int32_t doubling_high_mul(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* x / 2^shift, rounded to the nearest, ties away from zero; shift 0..31. */
static inline int32_t rounding_shr(int32_t x, uint32_t shift)
{
    int32_t mask = (int32_t)((1u << shift) - 1u);
    int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> shift) + ((x & mask) > threshold ? 1 : 0);
}

/* Of x > 0. */
static inline uint32_t leading_zeros(uint32_t x)
{
    uint32_t n = 0;
    while ((x & 0x80000000u) == 0) {
        x <<= 1;
        n++;
    }
    return n;
}

/* x * multiplier * 2^(shift - 31), rounded twice. multiplier >= 0, shift -31..30. */
static inline int32_t requantize(int32_t x, int32_t multiplier, int32_t shift)
{
    if (shift > 0) {
        x = wrapping_shl(x, (uint32_t)shift);
    }
    x = (int32_t)(((int64_t)x * multiplier + (1 << 30)) >> 31);
    return shift < 0 ? rounding_shr(x, (uint32_t)-shift) : x;
}

/* x * multiplier * 2^(shift - 15) of a 64-bit x, rounded once, ties upwards; multiplier
 * 0..2^15-1, shift -31..14. What does not fit wraps. */
static inline int32_t requantize_64(uint64_t x, int32_t multiplier, int32_t shift)
{
    uint32_t right = (uint32_t)(15 - shift);
    uint64_t product = x * (uint64_t)multiplier + (1ull << (right - 1));
    return (int32_t)((int64_t)product >> right);
}

static inline int32_t clamp(int32_t x, int32_t min, int32_t max)
{
    if (x < min) {
        return min;
    }
    return x > max ? max : x;
}

#endif
