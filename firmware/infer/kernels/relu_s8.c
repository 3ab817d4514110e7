/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * RELU and its relatives: clamp, after a change of scale if there is one.
 * Semantics: TFLM micro/kernels/activations_common.cc (ReluQuantized, Relu6Quantized).
 */
#include "infer/kernel.h"
#include "infer/kernels/requantize.h"
#include "infer/ops/ops.h"

static void relu_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_relu_t *c = (const plan_relu_t *)op;
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->count; i++) {
        int32_t value = x[i];
        if (c->rescale.multiplier != 0) {
            value = requantize(value - c->x_zero_point, c->rescale.multiplier, c->rescale.shift);
            value = wrapping_add(value, c->y_zero_point);
        }
        y[i] = (int8_t)clamp(value, c->act_min, c->act_max);
    }
}

const infer_kernel_t infer_relu_s8 = {
    .words = sizeof(plan_relu_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_relu,
    .overlap = infer_overlap_elementwise,
    .run = relu_s8_run,
};
