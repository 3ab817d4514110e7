/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * SOFTMAX of int16, by tables of exp and of the reciprocal and straight lines between their
 * numbers. Whatever they hold, nothing overflows.
 * Semantics: TFLM kernels/internal/reference/softmax.h (SoftmaxInt16).
 */
#include "infer/kernel.h"
#include "infer/kernels/requantize.h"
#include "infer/ops/ops.h"

#define TABLE_LENGTH 513 /* 512 intervals of 128 codes */

/* The function at `code`, an int16. */
static int16_t look_up(const int16_t *table, int32_t code)
{
    const int16_t *entry = table + 256 + (code >> 7);
    int32_t slope = entry[1] - entry[0];
    return (int16_t)(entry[0] + ((slope * (code & 127) + 64) >> 7));
}

static int32_t max_of(const int16_t *x, uint32_t n)
{
    int32_t max = INT16_MIN;
    for (uint32_t i = 0; i < n; i++) {
        max = x[i] > max ? x[i] : max;
    }
    return max;
}

/* exp of how far x is below max, Q0.15. */
static int16_t weight_of(const plan_softmax_t *c, const int16_t *exp, int32_t x, int32_t max)
{
    int32_t scaled = requantize(x - max, c->rescale.multiplier, c->rescale.shift);
    return look_up(exp, clamp(scaled + INT16_MAX, INT16_MIN, INT16_MAX));
}

/* y holds the weights until their sum is known. */
static void softmax_row(const plan_softmax_t *c, const int16_t *exp, const int16_t *x, int16_t *y)
{
    const int16_t *reciprocal = exp + TABLE_LENGTH;
    int32_t max = max_of(x, c->depth);
    int32_t sum = 0; /* Q16.15 */
    for (uint32_t i = 0; i < c->depth; i++) {
        y[i] = weight_of(c, exp, x[i], max);
        sum += y[i];
    }
    /* Never so small with the right table; this keeps the shift in range with any. */
    uint32_t total = sum < 2 ? 2 : (uint32_t)sum;
    uint32_t zeros = leading_zeros(total);
    /* total * 2^(zeros - 31) - 1, a fraction, in Q0.16 */
    int32_t rest = (int32_t)(((total << (zeros - 1)) + (1 << 13)) >> 14) - (1 << 16);
    int32_t scale = look_up(reciprocal, clamp(rest + INT16_MIN, INT16_MIN, INT16_MAX));
    uint32_t shift = 31 - zeros;
    for (uint32_t i = 0; i < c->depth; i++) {
        int32_t share = (y[i] * scale + (1 << (shift - 1))) >> shift;
        y[i] = (int16_t)clamp(share, 0, INT16_MAX);
    }
}

static void softmax_s16_run(const infer_t *model, const plan_op_t *op)
{
    const plan_softmax_t *c = (const plan_softmax_t *)op;
    const int16_t *exp = (const int16_t *)infer_data(model->plan, c->constant);
    const int16_t *x = (const int16_t *)infer_tensor(model, c->x);
    int16_t *y = (int16_t *)infer_tensor(model, c->y);
    for (uint32_t row = 0; row < c->rows; row++) {
        softmax_row(c, exp, x, y);
        x += c->depth;
        y += c->depth;
    }
}

const infer_kernel_t infer_softmax_s16 = {
    .words = sizeof(plan_softmax_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_softmax,
    .overlap = infer_overlap_elementwise,
    .run = softmax_s16_run,
};
