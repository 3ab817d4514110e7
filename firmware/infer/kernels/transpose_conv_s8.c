/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * TRANSPOSE_CONV with int8 activations and weights.
 */
#include "infer/kernels/channels.h"
#include "infer/kernels/dot.h"
#include "infer/kernels/transpose_conv.h"
#include "infer/ops/ops.h"

/* The taps of one output pixel. */
typedef struct {
    const int8_t *x; /* what feeds the first tap; further taps take the pixels before it */
    uint32_t first;  /* the first tap's weights in an output channel's */
    uint32_t rows;
    uint32_t columns;
} patch_t;

static patch_t patch_of(const plan_transpose_conv_t *c, const int8_t *x, spread_t rows,
                        spread_t columns)
{
    return (patch_t){
        .x = x + (rows.start * c->in_w + columns.start) * c->in_c,
        .first = (rows.first * c->kernel_w + columns.first) * c->in_c,
        .rows = rows.count,
        .columns = columns.count,
    };
}

/* acc + the inner product of a patch with the weights of one output channel. */
INFER_LEAF uint32_t patch_dot(uint32_t acc, const plan_transpose_conv_t *c, const patch_t *patch,
                              const uint8_t *weights)
{
    uint32_t depth = c->in_c;
    uint32_t w_row = patch->first;
    uint32_t x_row = 0;
    for (uint32_t row = 0; row < patch->rows; row++) {
        uint32_t x = x_row;
        uint32_t w = w_row;
        for (uint32_t column = 0; column < patch->columns; column++) {
            acc = dot_s8(acc, patch->x - x, -c->x_zero_point, weights, w, 0, depth);
            x += depth;
            w += c->stride_w * depth;
        }
        x_row += c->in_w * depth;
        w_row += (uint32_t)c->stride_h * c->kernel_w * depth;
    }
    return acc;
}

static void pixel(const plan_transpose_conv_t *c, const patch_t *patch, const uint8_t *weights,
                  const channels_t *channels, int8_t *y)
{
    uint32_t channel_bytes = (uint32_t)c->kernel_h * c->kernel_w * c->in_c;
    for (uint32_t i = 0; i < c->out_c; i++) {
        uint32_t acc = patch_dot((uint32_t)channels->bias[i], c, patch, weights);
        y[i] = channel_output(channels, i, acc);
        weights += channel_bytes;
    }
}

static void transpose_conv_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_transpose_conv_t *c = (const plan_transpose_conv_t *)op;
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    const uint8_t *weights = (const uint8_t *)infer_data(model->plan, c->weights);
    channels_t channels = channels_at(model->plan, op, c->channels, c->out_c);
    channels.zero_point = c->y_zero_point;
    channels.min = c->act_min;
    channels.max = c->act_max;
    for (uint32_t batch = 0; batch < c->batches; batch++) {
        for (uint32_t out_y = 0; out_y < c->out_h; out_y++) {
            spread_t rows = spread(out_y, c->stride_h, c->pad_top, c->in_h, c->kernel_h);
            for (uint32_t out_x = 0; out_x < c->out_w; out_x++) {
                spread_t columns = spread(out_x, c->stride_w, c->pad_left, c->in_w, c->kernel_w);
                patch_t patch = patch_of(c, x, rows, columns);
                pixel(c, &patch, weights, &channels, y);
                y += c->out_c;
            }
        }
        x += (uint32_t)c->in_h * c->in_w * c->in_c;
    }
}

const infer_kernel_t infer_transpose_conv_s8 = {
    .words = sizeof(plan_transpose_conv_t) / 4,
    .flags = PLAN_OP_OVERLAP | PLAN_OP_PER_TENSOR,
    .check = infer_check_transpose_conv,
    .overlap = infer_overlap_transpose_conv,
    .run = transpose_conv_s8_run,
};
