/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * CONV_2D of int16 activations with int8 weights.
 */
#include "infer/kernels/window_s16.h"

static void conv_2d_s16_run(const infer_t *model, const plan_op_t *op)
{
    const plan_conv_2d_t *c = (const plan_conv_2d_t *)op;
    channels_s16_t channels = channels_s16_at(model->plan, op, c->channels, c->out_c);
    uint32_t depth = c->in_c / (uint32_t)c->groups;
    conv_s16_t conv = {
        .window = infer_conv_2d_window(c),
        .depth = depth,
        .siblings = c->out_c / (uint32_t)c->groups,
        .w_tap = depth,
        .w_channel = (uint32_t)c->kernel_h * c->kernel_w * depth,
    };
    channels.min = c->act_min;
    channels.max = c->act_max;
    conv_s16(&conv, (const int16_t *)infer_tensor(model, c->x),
             (const int8_t *)infer_data(model->plan, c->weights), &channels,
             (int16_t *)infer_tensor(model, c->y));
}

const infer_kernel_t infer_conv_2d_s16 = {
    .words = sizeof(plan_conv_2d_t) / 4,
    .flags = PLAN_OP_OVERLAP | PLAN_OP_PER_TENSOR | PLAN_OP_ACC_32,
    .check = infer_check_conv_2d,
    .overlap = infer_overlap_conv_2d,
    .run = conv_2d_s16_run,
};
