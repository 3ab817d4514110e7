/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * TRANSPOSE_CONV of int16 activations with int8 weights.
 */
#include "infer/kernels/layer_s16.h"
#include "infer/kernels/transpose_conv.h"

/* acc + the taps of one output pixel, with the weights of one output channel. */
static uint64_t taps_dot(uint64_t acc, const plan_transpose_conv_t *c, const int16_t *x,
                         const int8_t *weights, spread_t rows, spread_t columns)
{
    for (uint32_t row = 0; row < rows.count; row++) {
        uint32_t pixel = (rows.start - row) * c->in_w + columns.start;
        uint32_t tap = (rows.first + row * c->stride_h) * c->kernel_w + columns.first;
        for (uint32_t column = 0; column < columns.count; column++) {
            const int16_t *x_tap = x + (pixel - column) * c->in_c;
            acc = dot_s16(acc, x_tap, 1, weights + tap * c->in_c, 1, c->in_c);
            tap += c->stride_w;
        }
    }
    return acc;
}

static void transpose_conv_s16_run(const infer_t *model, const plan_op_t *op)
{
    const plan_transpose_conv_t *c = (const plan_transpose_conv_t *)op;
    const int16_t *x = (const int16_t *)infer_tensor(model, c->x);
    int16_t *y = (int16_t *)infer_tensor(model, c->y);
    const int8_t *weights = (const int8_t *)infer_data(model->plan, c->weights);
    uint32_t channel_codes = (uint32_t)c->kernel_h * c->kernel_w * c->in_c;
    channels_s16_t channels = channels_s16_at(model->plan, op, c->channels, c->out_c);
    channels.min = c->act_min;
    channels.max = c->act_max;
    for (uint32_t batch = 0; batch < c->batches; batch++) {
        for (uint32_t out_y = 0; out_y < c->out_h; out_y++) {
            spread_t rows = spread(out_y, c->stride_h, c->pad_top, c->in_h, c->kernel_h);
            for (uint32_t out_x = 0; out_x < c->out_w; out_x++) {
                spread_t columns = spread(out_x, c->stride_w, c->pad_left, c->in_w, c->kernel_w);
                for (uint32_t i = 0; i < c->out_c; i++) {
                    uint64_t acc = channel_bias_s16(&channels, i);
                    acc = taps_dot(acc, c, x, weights + i * channel_codes, rows, columns);
                    *y++ = channel_output_s16(&channels, i, acc);
                }
            }
        }
        x += (uint32_t)c->in_h * c->in_w * c->in_c;
    }
}

const infer_kernel_t infer_transpose_conv_s16 = {
    .words = sizeof(plan_transpose_conv_t) / 4,
    .flags = PLAN_OP_OVERLAP | PLAN_OP_PER_TENSOR,
    .check = infer_check_transpose_conv,
    .overlap = infer_overlap_transpose_conv,
    .run = transpose_conv_s16_run,
};
