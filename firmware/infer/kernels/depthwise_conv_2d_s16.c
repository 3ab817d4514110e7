/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * DEPTHWISE_CONV_2D of int16 activations with int8 weights.
 */
#include "infer/kernels/window_s16.h"

static void depthwise_conv_2d_s16_run(const infer_t *model, const plan_op_t *op)
{
    const plan_depthwise_conv_2d_t *c = (const plan_depthwise_conv_2d_t *)op;
    channels_s16_t channels = channels_s16_at(model->plan, op, c->channels, c->out_c);
    conv_s16_t conv = {
        .window = infer_depthwise_conv_2d_window(c),
        .depth = 1,
        .siblings = c->multiplier,
        .w_tap = c->out_c,
        .w_channel = 1,
    };
    channels.min = c->act_min;
    channels.max = c->act_max;
    conv_s16(&conv, (const int16_t *)infer_tensor(model, c->x),
             (const int8_t *)infer_data(model->plan, c->weights), &channels,
             (int16_t *)infer_tensor(model, c->y));
}

const infer_kernel_t infer_depthwise_conv_2d_s16 = {
    .words = sizeof(plan_depthwise_conv_2d_t) / 4,
    .flags = PLAN_OP_OVERLAP | PLAN_OP_PER_TENSOR,
    .check = infer_check_depthwise_conv_2d,
    .overlap = infer_overlap_depthwise_conv_2d,
    .run = depthwise_conv_2d_s16_run,
};
