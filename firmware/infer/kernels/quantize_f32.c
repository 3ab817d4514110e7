/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * QUANTIZE of float32. One division, rounded as IEEE 754 asks, and exact steps: the same bytes with
 * and without an FPU.
 * Semantics: TFLM kernels/internal/reference/quantize.h (AffineQuantize).
 */
#include "infer/kernel.h"
#include "infer/kernels/elements.h"
#include "infer/ops/ops.h"

#define TWO_TO_31 2147483648.0f

/* Rounded to the nearest integer, ties away from zero. What does not fit, or is no number, is
 * INT32_MIN, as the processor of the reference interpreter has it. */
static int32_t nearest(float value)
{
    if (!(value >= -TWO_TO_31 && value < TWO_TO_31)) {
        return INT32_MIN;
    }
    int32_t whole = (int32_t)value;
    float rest = value - (float)whole;
    if (rest >= 0.5f) {
        return whole + 1;
    }
    return rest <= -0.5f ? whole - 1 : whole;
}

static void quantize_f32_run(const infer_t *model, const plan_op_t *op)
{
    const plan_quantize_t *c = (const plan_quantize_t *)op;
    const float *x = (const float *)infer_tensor(model, c->x);
    void *y = infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->count; i++) {
        int32_t code = wrapping_add(nearest(x[i] / c->scale), c->y_zero_point);
        element_store(y, i, c->y_type, code);
    }
}

const infer_kernel_t infer_quantize_f32 = {
    .words = sizeof(plan_quantize_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_quantize,
    .overlap = infer_overlap_quantize,
    .run = quantize_f32_run,
};
