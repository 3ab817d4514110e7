/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MEAN over the middle of three dimensions.
 * Semantics: TFLM kernels/internal/reference/reduce.h (QuantizedMeanOrSum).
 */
#include "infer/kernel.h"
#include "infer/kernels/requantize.h"
#include "infer/ops/ops.h"

static int32_t sum(const int8_t *x, uint32_t n, uint32_t step)
{
    int32_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += *x;
        x += step;
    }
    return total;
}

static void mean_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_mean_t *c = (const plan_mean_t *)op;
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    int32_t zero = (int32_t)c->reduced * c->x_zero_point;
    for (uint32_t outer = 0; outer < c->outer; outer++) {
        for (uint32_t inner = 0; inner < c->inner; inner++) {
            int32_t total = sum(x + inner, c->reduced, c->inner) - zero;
            int32_t mean = requantize(total, c->rescale.multiplier, c->rescale.shift);
            *y++ = (int8_t)clamp(wrapping_add(mean, c->y_zero_point), INT8_MIN, INT8_MAX);
        }
        x += c->reduced * c->inner;
    }
}

const infer_kernel_t infer_mean_s8 = {
    .words = sizeof(plan_mean_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_mean,
    .overlap = infer_overlap_elementwise,
    .run = mean_s8_run,
};
