/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MEAN over the middle of three dimensions, common to all element types.
 * Semantics: TFLM kernels/internal/reference/reduce.h (QuantizedMeanOrSum).
 */
#ifndef INFER_KERNELS_MEAN_H
#define INFER_KERNELS_MEAN_H

#include "infer/kernel.h"
#include "infer/kernels/elements.h"
#include "infer/kernels/inline.h"
#include "infer/kernels/requantize.h"
#include "infer/ops/ops.h"

/* The sum of n elements of x, `step` apart, from number `at` on. */
INFER_TEMPLATE int32_t mean_sum(const void *x, uint32_t at, uint32_t n, uint32_t step, load_t *load)
{
    int32_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += load(x, at);
        at += step;
    }
    return total;
}

/* The operator, whose output codes are min .. max. */
INFER_TEMPLATE void mean(const infer_t *model, const plan_mean_t *c, load_t *load, store_t *store,
                         int32_t min, int32_t max)
{
    const void *x = infer_tensor(model, c->x);
    void *y = infer_tensor(model, c->y);
    int32_t zero = (int32_t)c->reduced * c->x_zero_point;
    uint32_t at = 0;
    for (uint32_t outer = 0; outer < c->outer; outer++) {
        uint32_t first = outer * c->reduced * c->inner;
        for (uint32_t inner = 0; inner < c->inner; inner++) {
            int32_t total = mean_sum(x, first + inner, c->reduced, c->inner, load) - zero;
            int32_t code = requantize(total, c->rescale.multiplier, c->rescale.shift);
            store(y, at++, clamp(wrapping_add(code, c->y_zero_point), min, max));
        }
    }
}

#endif
