/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * LEAKY_RELU, RELU, RELU6 and ABS of int16: two slopes, and a clamp.
 * Semantics: TFLM kernels/internal/reference/leaky_relu.h, micro/kernels/activations.cc,
 * micro/kernels/elementwise.cc.
 */
#include "infer/kernel.h"
#include "infer/kernels/requantize.h"
#include "infer/ops/ops.h"

/* value, or -value where `sign` is negative. */
static int32_t with_sign(int32_t value, int32_t sign)
{
    return sign < 0 ? wrapping_sub(0, value) : value;
}

static int32_t slope(const plan_leaky_relu_t *c, int32_t value)
{
    if (value >= 0) {
        return requantize(value, c->above.multiplier, c->above.shift);
    }
    value = with_sign(value, c->sign_before);
    return with_sign(requantize(value, c->below.multiplier, c->below.shift), c->sign_after);
}

static void leaky_relu_s16_run(const infer_t *model, const plan_op_t *op)
{
    const plan_leaky_relu_t *c = (const plan_leaky_relu_t *)op;
    const int16_t *x = (const int16_t *)infer_tensor(model, c->x);
    int16_t *y = (int16_t *)infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->count; i++) {
        int32_t value = wrapping_add(slope(c, x[i] - c->x_zero_point), c->y_zero_point);
        y[i] = (int16_t)clamp(value, c->act_min, c->act_max);
    }
}

const infer_kernel_t infer_leaky_relu_s16 = {
    .words = sizeof(plan_leaky_relu_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_leaky_relu,
    .overlap = infer_overlap_elementwise,
    .run = leaky_relu_s16_run,
};
