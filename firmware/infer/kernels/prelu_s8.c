/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * PRELU of int8, with broadcasting.
 * Semantics: TFLM kernels/internal/reference/prelu.h (BroadcastPrelu4DSlow).
 */
#include "infer/kernels/binary.h"

static int32_t prelu(const plan_binary_t *c, int32_t a, int32_t b)
{
    const plan_rescale_t *rescale = &c->a_rescale;
    a -= c->a_zero_point;
    if (a < 0) {
        a *= b - c->b_zero_point;
        rescale = &c->y_rescale;
    }
    int32_t y = requantize(a, rescale->multiplier, rescale->shift);
    return clamp(wrapping_add(y, c->y_zero_point), c->act_min, c->act_max);
}

static void prelu_s8_run(const infer_t *model, const plan_op_t *op)
{
    binary_run(model, op, prelu, sizeof(int8_t));
}

const infer_kernel_t infer_prelu_s8 = {
    .words = sizeof(plan_binary_t) / 4,
    .flags = BINARY_FLAGS,
    .check = infer_check_binary,
    .overlap = infer_overlap_binary,
    .run = prelu_s8_run,
};
