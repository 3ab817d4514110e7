/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * CONV_2D with packed int4 weights.
 */
#include "infer/kernels/conv_2d.h"
#include "infer/ops/ops.h"

INFER_LEAF uint32_t conv_dot_s4(uint32_t acc, const conv_patch_t *patch,
                                const conv_layout_t *layout, uint32_t channel, int32_t x_offset,
                                const uint8_t *weights)
{
    return conv_dot(acc, patch, layout, channel, x_offset, weights, dot_s4);
}

static void conv_2d_s4_run(const infer_t *model, const plan_op_t *op)
{
    const plan_conv_2d_t *c = (const plan_conv_2d_t *)op;
    uint32_t row = (uint32_t)c->kernel_h * c->kernel_w * (c->in_c / (uint32_t)c->groups);
    conv_2d(model, c, row / 2 + row % 2, conv_dot_s4);
}

const infer_kernel_t infer_conv_2d_s4 = {
    .words = sizeof(plan_conv_2d_t) / 4,
    .flags = PLAN_OP_OVERLAP | PLAN_OP_PER_TENSOR,
    .check = infer_check_conv_2d,
    .overlap = infer_overlap_conv_2d,
    .run = conv_2d_s4_run,
};
