/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * DEPTHWISE_CONV_2D, common to all weight types.
 * Semantics: TFLM kernels/internal/reference/integer_ops/depthwise_conv.h.
 */
#ifndef INFER_KERNELS_DEPTHWISE_CONV_2D_H
#define INFER_KERNELS_DEPTHWISE_CONV_2D_H

#include "infer/kernels/channels.h"
#include "infer/kernels/dot.h"
#include "infer/kernels/taps.h"

/* The taps of one output pixel that lie inside the input. */
typedef struct {
    const int8_t *x;        /* the first tap, channel 0 */
    const uint8_t *weights; /* its row of weights */
    uint32_t rows;
    uint32_t columns;
} depthwise_patch_t;

/* Distances in bytes that are the same for all pixels: from a tap to the next in its row, and
 * from one row of taps to the next. */
typedef struct {
    uint32_t x_row;
    uint32_t x_column;
    uint32_t w_row;
    uint32_t w_column;
} depthwise_layout_t;

static inline depthwise_layout_t depthwise_layout(const plan_depthwise_conv_2d_t *c,
                                                  uint32_t row_bytes)
{
    return (depthwise_layout_t){
        .x_row = (uint32_t)c->dilation_h * c->in_w * c->in_c,
        .x_column = (uint32_t)c->dilation_w * c->in_c,
        .w_row = c->kernel_w * row_bytes,
        .w_column = row_bytes,
    };
}

static inline depthwise_patch_t depthwise_patch(const plan_depthwise_conv_2d_t *c,
                                                const depthwise_layout_t *layout, const int8_t *x,
                                                const uint8_t *weights, taps_t rows, taps_t columns)
{
    if (rows.end <= rows.first || columns.end <= columns.first) {
        return (depthwise_patch_t){.x = x, .weights = weights, .rows = 0};
    }
    return (depthwise_patch_t){
        .x = x + (rows.start * c->in_w + columns.start) * c->in_c,
        .weights = weights + (uint32_t)rows.first * layout->w_row +
                   (uint32_t)columns.first * layout->w_column,
        .rows = (uint32_t)(rows.end - rows.first),
        .columns = (uint32_t)(columns.end - columns.first),
    };
}

/* The code that is number i from `at` on. */
typedef int32_t weight_t(const uint8_t *at, uint32_t i);

/* acc + the taps of a patch for one output channel. `x` is its input at the first tap, its weight
 * number i from `w` on. */
INFER_TEMPLATE uint32_t depthwise_one(uint32_t acc, const depthwise_patch_t *patch,
                                      const depthwise_layout_t *layout, const int8_t *x,
                                      int32_t x_offset, const uint8_t *w, uint32_t i,
                                      weight_t *weight)
{
    for (uint32_t row = 0; row < patch->rows; row++) {
        const int8_t *x_tap = x;
        const uint8_t *w_tap = w;
        for (uint32_t column = 0; column < patch->columns; column++) {
            acc += product(*x_tap, x_offset, weight(w_tap, i));
            x_tap += layout->x_column;
            w_tap += layout->w_column;
        }
        x += layout->x_row;
        w += layout->w_row;
    }
    return acc;
}

/* The same for four channels side by side, each with an input channel of its own. */
INFER_TEMPLATE void depthwise_four(uint32_t acc[4], const depthwise_patch_t *patch,
                                   const depthwise_layout_t *layout, const int8_t *x,
                                   int32_t x_offset, const uint8_t *w, weight_t *weight)
{
    uint32_t acc0 = acc[0];
    uint32_t acc1 = acc[1];
    uint32_t acc2 = acc[2];
    uint32_t acc3 = acc[3];
    for (uint32_t row = 0; row < patch->rows; row++) {
        const int8_t *x_tap = x;
        const uint8_t *w_tap = w;
        for (uint32_t column = 0; column < patch->columns; column++) {
            acc0 += product(x_tap[0], x_offset, weight(w_tap, 0));
            acc1 += product(x_tap[1], x_offset, weight(w_tap, 1));
            acc2 += product(x_tap[2], x_offset, weight(w_tap, 2));
            acc3 += product(x_tap[3], x_offset, weight(w_tap, 3));
            x_tap += layout->x_column;
            w_tap += layout->w_column;
        }
        x += layout->x_row;
        w += layout->w_row;
    }
    acc[0] = acc0;
    acc[1] = acc1;
    acc[2] = acc2;
    acc[3] = acc3;
}

/* What each kernel makes of these two for its packing: output channel `out` (of four: a multiple
 * of 4), with `x` its input at the first tap. */
typedef struct {
    uint32_t (*one)(uint32_t acc, const depthwise_patch_t *patch, const depthwise_layout_t *layout,
                    const int8_t *x, int32_t x_offset, uint32_t out);
    void (*four)(uint32_t acc[4], const depthwise_patch_t *patch, const depthwise_layout_t *layout,
                 const int8_t *x, int32_t x_offset, uint32_t out);
} depthwise_loops_t;

/* The first channels of an output pixel by fours, where output and input channels are the same;
 * returns how many are done. */
INFER_TEMPLATE uint32_t depthwise_by_fours(const plan_depthwise_conv_2d_t *c,
                                           const depthwise_layout_t *layout,
                                           const depthwise_patch_t *patch,
                                           const channels_t *channels, int8_t *y,
                                           depthwise_loops_t loops)
{
    uint32_t out = 0;
    for (; out + 4 <= c->out_c; out += 4) {
        uint32_t acc[4];
        for (uint32_t i = 0; i < 4; i++) {
            acc[i] = (uint32_t)channels->bias[out + i];
        }
        loops.four(acc, patch, layout, patch->x + out, -c->x_zero_point, out);
        for (uint32_t i = 0; i < 4; i++) {
            y[out + i] = channel_output(channels, out + i, acc[i]);
        }
    }
    return out;
}

/* All channels of one output pixel. */
INFER_TEMPLATE void depthwise_pixel(const plan_depthwise_conv_2d_t *c,
                                    const depthwise_layout_t *layout,
                                    const depthwise_patch_t *patch, const channels_t *channels,
                                    int8_t *y, depthwise_loops_t loops)
{
    uint32_t out = 0;
    if (c->multiplier == 1) {
        out = depthwise_by_fours(c, layout, patch, channels, y, loops);
    }
    for (uint32_t in = out; in < c->in_c; in++) {
        for (uint32_t i = 0; i < c->multiplier; i++) {
            uint32_t acc = loops.one((uint32_t)channels->bias[out], patch, layout, patch->x + in,
                                     -c->x_zero_point, out);
            y[out] = channel_output(channels, out, acc);
            out++;
        }
    }
}

/* The operator, with `row_bytes` bytes for the weights of each tap. */
INFER_TEMPLATE void depthwise_conv_2d(const infer_t *model, const plan_depthwise_conv_2d_t *c,
                                      uint32_t row_bytes, depthwise_loops_t loops)
{
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    const uint8_t *weights = (const uint8_t *)infer_data(model->plan, c->weights);
    channels_t channels = channels_at(model->plan, &c->op, c->channels, c->out_c);
    depthwise_layout_t layout = depthwise_layout(c, row_bytes);
    channels.zero_point = c->y_zero_point;
    channels.min = c->act_min;
    channels.max = c->act_max;
    for (uint32_t batch = 0; batch < c->batches; batch++) {
        for (int32_t out_y = 0; out_y < c->out_h; out_y++) {
            taps_t rows =
                taps_inside(out_y, c->stride_h, c->pad_top, c->in_h, c->kernel_h, c->dilation_h);
            for (int32_t out_x = 0; out_x < c->out_w; out_x++) {
                taps_t columns = taps_inside(out_x, c->stride_w, c->pad_left, c->in_w, c->kernel_w,
                                             c->dilation_w);
                depthwise_patch_t patch = depthwise_patch(c, &layout, x, weights, rows, columns);
                depthwise_pixel(c, &layout, &patch, &channels, y, loops);
                y += c->out_c;
            }
        }
        x += (uint32_t)c->in_h * c->in_w * c->in_c;
    }
}

#endif
