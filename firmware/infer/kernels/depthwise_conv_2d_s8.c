/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * DEPTHWISE_CONV_2D with int8 weights.
 */
#include "infer/kernels/depthwise_conv_2d.h"
#include "infer/ops/ops.h"

static inline int32_t weight_s8(const uint8_t *row, uint32_t channel)
{
    return (int8_t)row[channel];
}

static void depthwise_conv_2d_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_depthwise_conv_2d_t *c = (const plan_depthwise_conv_2d_t *)op;
    depthwise_conv_2d(model, c, c->out_c, weight_s8);
}

const infer_kernel_t infer_depthwise_conv_2d_s8 = {
    .words = sizeof(plan_depthwise_conv_2d_t) / 4,
    .flags = PLAN_OP_OVERLAP | PLAN_OP_PER_TENSOR,
    .check = infer_check_depthwise_conv_2d,
    .overlap = infer_overlap_depthwise_conv_2d,
    .run = depthwise_conv_2d_s8_run,
};
