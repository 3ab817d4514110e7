/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * SOFTMAX of int8 in fixed point, common to all outputs. Qm.n below: m integer bits, n fractional
 * bits, and a sign.
 * Semantics: TFLM kernels/internal/reference/softmax.h, and exp and reciprocal of gemmlowp's
 * fixedpoint.h, roundings and polynomials included.
 */
#ifndef INFER_KERNELS_SOFTMAX_H
#define INFER_KERNELS_SOFTMAX_H

#include "infer/kernel.h"
#include "infer/kernels/requantize.h"

#define EXP_BITS  26 /* fractional bits of the scaled difference: Q5.26 */
#define SUM_SHIFT 12 /* Q0.31 to the accumulator's Q12.19 */

/* x << shift, saturated. */
static int32_t saturating_shl(int32_t x, uint32_t shift)
{
    int32_t most = INT32_MAX >> shift;
    if (x > most) {
        return INT32_MAX;
    }
    return x < -most ? INT32_MIN : wrapping_shl(x, shift);
}

/* exp(a) for a in [-1/4, 0), Q0.31: Taylor series of fourth order around -1/8. */
static int32_t exp_of_fraction(int32_t a)
{
    const int32_t exp_minus_eighth = 1895147668;
    const int32_t third = 715827883;
    int32_t x = a + (1 << 28);
    int32_t x2 = doubling_high_mul(x, x);
    int32_t x3 = doubling_high_mul(x2, x);
    int32_t x4 = doubling_high_mul(x2, x2);
    int32_t upper = doubling_high_mul(rounding_shr(x4, 2) + x3, third) + x2;
    int32_t series = x + rounding_shr(upper, 1);
    return exp_minus_eighth + doubling_high_mul(exp_minus_eighth, series);
}

/* exp(a) for a <= 0 in Q5.26, as Q0.31: the fraction of a quarter, times one power of e for each
 * bit of what is left. */
static int32_t exp_of_negative(int32_t a)
{
    /* exp(-1/4), exp(-1/2), exp(-1), ... exp(-16) */
    static const int32_t powers[] = {1672461947, 1302514674, 790015084, 290630308,
                                     39332535,   720401,     242};
    const int32_t quarter = 1 << (EXP_BITS - 2);
    if (a == 0) {
        return INT32_MAX;
    }
    int32_t fraction = (a & (quarter - 1)) - quarter;
    int32_t result = exp_of_fraction(saturating_shl(fraction, 5));
    uint32_t rest = (uint32_t)fraction - (uint32_t)a;
    for (uint32_t i = 0; i < sizeof powers / sizeof powers[0]; i++) {
        if ((rest & (uint32_t)quarter << i) != 0) {
            result = doubling_high_mul(result, powers[i]);
        }
    }
    return result;
}

/* 1 / (1 + x) for x in [0, 1), both Q0.31: three Newton steps, the iterate in Q2.29. */
static int32_t reciprocal_of_one_plus(int32_t x)
{
    const int32_t start = 1515870810;  /* 48/17 */
    const int32_t slope = -1010580540; /* -32/17 */
    int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t guess = start + doubling_high_mul(half, slope);
    for (uint32_t i = 0; i < 3; i++) {
        int32_t error = (1 << 29) - doubling_high_mul(half, guess);
        guess += saturating_shl(doubling_high_mul(guess, error), 2);
    }
    return saturating_shl(guess, 1);
}

static int32_t max_of(const int8_t *x, uint32_t n)
{
    int32_t max = INT8_MIN;
    for (uint32_t i = 0; i < n; i++) {
        max = x[i] > max ? x[i] : max;
    }
    return max;
}

/* exp of how far x is below max, Q0.31. */
static int32_t weight_of(const plan_softmax_t *c, int32_t x, int32_t max)
{
    int32_t difference = x - max;
    if (difference < c->diff_min) {
        return 0;
    }
    int32_t scaled = wrapping_shl(difference, (uint32_t)c->rescale.shift);
    return exp_of_negative(doubling_high_mul(scaled, c->rescale.multiplier));
}

/* What the codes of a row have in common. */
typedef struct {
    int32_t max;
    int32_t scale; /* Q0.31; scale / 2^shift is one over the sum of exp */
    uint32_t shift;
} softmax_row_t;

static inline softmax_row_t softmax_row(const plan_softmax_t *c, const int8_t *x)
{
    softmax_row_t row = {.max = max_of(x, c->depth)};
    int32_t sum = 0; /* Q12.19, at least 1.0 */
    for (uint32_t i = 0; i < c->depth; i++) {
        sum += rounding_shr(weight_of(c, x[i], row.max), SUM_SHIFT);
    }
    /* sum = 2^(12 - zeros) * (1 + rest) with rest in Q0.31 */
    uint32_t zeros = leading_zeros((uint32_t)sum);
    int32_t rest = (int32_t)(((uint32_t)sum << zeros) - 0x80000000u);
    row.scale = reciprocal_of_one_plus(rest);
    row.shift = SUM_SHIFT - zeros;
    return row;
}

/* The share of x in units of 2^-bits. */
static inline int32_t softmax_share(const plan_softmax_t *c, const softmax_row_t *row, int32_t x,
                                    uint32_t bits)
{
    int32_t share = doubling_high_mul(row->scale, weight_of(c, x, row->max));
    uint32_t shift = row->shift + 31 - bits;
    return shift <= 31 ? rounding_shr(share, shift) : 0;
}

#endif
