/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of CONV_2D records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

infer_window_t infer_conv_2d_window(const plan_conv_2d_t *c)
{
    return (infer_window_t){
        .batches = c->batches,
        .in_h = c->in_h,
        .in_w = c->in_w,
        .in_c = c->in_c,
        .out_h = c->out_h,
        .out_w = c->out_w,
        .out_c = c->out_c,
        .kernel_h = c->kernel_h,
        .kernel_w = c->kernel_w,
        .stride_h = c->stride_h,
        .stride_w = c->stride_w,
        .dilation_h = c->dilation_h,
        .dilation_w = c->dilation_w,
        .pad_top = c->pad_top,
        .pad_left = c->pad_left,
        .size = infer_layer_size(&c->op),
    };
}

static int groups_ok(const plan_conv_2d_t *c)
{
    return c->groups != 0 && c->in_c % c->groups == 0 && c->out_c % c->groups == 0;
}

infer_status_t infer_check_conv_2d(const plan_header_t *plan, const plan_op_t *op,
                                   infer_uses_t *uses)
{
    const plan_conv_2d_t *c = (const plan_conv_2d_t *)op;
    infer_window_t window = infer_conv_2d_window(c);
    if (!infer_window_ok(&window) || !groups_ok(c)) {
        return INFER_E_SHAPE;
    }
    infer_window_uses(&window, c->x, c->y, uses);
    if (!infer_layer_codes_ok(op, c->x_zero_point, c->y_zero_point, c->act_min, c->act_max)) {
        return INFER_E_RANGE;
    }
    uint32_t depth = c->in_c / (uint32_t)c->groups;
    uint32_t row = size_mul(size_mul(c->kernel_h, c->kernel_w), depth);
    if (!infer_data_ok(plan, c->weights, infer_weight_bytes(op, c->out_c, row))) {
        return INFER_E_DATA;
    }
    return infer_check_channels(plan, op, c->channels, c->out_c);
}

int32_t infer_overlap_conv_2d(const plan_op_t *op)
{
    infer_window_t window = infer_conv_2d_window((const plan_conv_2d_t *)op);
    return infer_window_overlap(&window);
}
