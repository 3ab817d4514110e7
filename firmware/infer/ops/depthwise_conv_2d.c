/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of DEPTHWISE_CONV_2D records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

infer_window_t infer_depthwise_conv_2d_window(const plan_depthwise_conv_2d_t *c)
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

infer_status_t infer_check_depthwise_conv_2d(const plan_header_t *plan, const plan_op_t *op,
                                             infer_uses_t *uses)
{
    const plan_depthwise_conv_2d_t *c = (const plan_depthwise_conv_2d_t *)op;
    infer_window_t window = infer_depthwise_conv_2d_window(c);
    if (!infer_window_ok(&window) || size_mul(c->in_c, c->multiplier) != c->out_c) {
        return INFER_E_SHAPE;
    }
    infer_window_uses(&window, c->x, c->y, uses);
    if (!infer_layer_codes_ok(op, c->x_zero_point, c->y_zero_point, c->act_min, c->act_max)) {
        return INFER_E_RANGE;
    }
    uint32_t taps = size_mul(c->kernel_h, c->kernel_w);
    if (!infer_data_ok(plan, c->weights, infer_weight_bytes(op, taps, c->out_c))) {
        return INFER_E_DATA;
    }
    return infer_check_channels(plan, op, c->channels, c->out_c);
}

int32_t infer_overlap_depthwise_conv_2d(const plan_op_t *op)
{
    infer_window_t window = infer_depthwise_conv_2d_window((const plan_depthwise_conv_2d_t *)op);
    return infer_window_overlap(&window);
}
