/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * DEPTHWISE_CONV_2D with int8 weights.
 */
#include "infer/kernels/depthwise_conv_2d.h"
#include "infer/ops/ops.h"

static inline int32_t weight_s8(const uint8_t *at, uint32_t i)
{
    return (int8_t)at[i];
}

INFER_LEAF uint32_t depthwise_one_s8(uint32_t acc, const depthwise_patch_t *patch,
                                     const depthwise_layout_t *layout, const int8_t *x,
                                     int32_t x_offset, uint32_t out)
{
    return depthwise_one(acc, patch, layout, x, x_offset, patch->weights, out, weight_s8);
}

INFER_LEAF void depthwise_four_s8(uint32_t acc[4], const depthwise_patch_t *patch,
                                  const depthwise_layout_t *layout, const int8_t *x,
                                  int32_t x_offset, uint32_t out)
{
    depthwise_four(acc, patch, layout, x, x_offset, patch->weights + out, weight_s8);
}

static void depthwise_conv_2d_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_depthwise_conv_2d_t *c = (const plan_depthwise_conv_2d_t *)op;
    depthwise_conv_2d(model, c, c->out_c,
                      (depthwise_loops_t){.one = depthwise_one_s8, .four = depthwise_four_s8});
}

const infer_kernel_t infer_depthwise_conv_2d_s8 = {
    .words = sizeof(plan_depthwise_conv_2d_t) / 4,
    .flags = PLAN_OP_OVERLAP | PLAN_OP_PER_TENSOR,
    .check = infer_check_depthwise_conv_2d,
    .overlap = infer_overlap_depthwise_conv_2d,
    .run = depthwise_conv_2d_s8_run,
};
