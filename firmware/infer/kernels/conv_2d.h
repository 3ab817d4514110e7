/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * CONV_2D, common to all weight types: the kernel gives the inner product of its packing.
 * Semantics: TFLM kernels/internal/reference/integer_ops/conv.h (ConvPerChannel).
 */
#ifndef INFER_KERNELS_CONV_2D_H
#define INFER_KERNELS_CONV_2D_H

#include "infer/kernels/channels.h"
#include "infer/kernels/dot.h"
#include "infer/kernels/taps.h"

/* The taps of one output pixel that lie inside the input, as runs of codes that lie together both
 * in x and in a row of weights: a whole row of taps if nothing separates them, else one tap. */
typedef struct {
    const int8_t *x; /* the first tap inside, channel 0 */
    uint32_t first;  /* its number in the row of weights */
    uint32_t rows;
    uint32_t runs; /* in each row */
    uint32_t run;  /* codes of a run */
} conv_patch_t;

/* Distances that are the same for all pixels. */
typedef struct {
    uint32_t depth;    /* input channels of a group */
    int whole_rows;    /* taps of a row lie together */
    uint32_t x_row;    /* bytes from a row of taps to the next */
    uint32_t x_column; /* from a tap to the next */
    uint32_t w_row;    /* codes from a row of taps to the next */
} conv_layout_t;

static inline conv_layout_t conv_layout(const plan_conv_2d_t *c)
{
    uint32_t depth = c->in_c / (uint32_t)c->groups;
    return (conv_layout_t){
        .depth = depth,
        .whole_rows = c->groups == 1 && c->dilation_w == 1,
        .x_row = (uint32_t)c->dilation_h * c->in_w * c->in_c,
        .x_column = (uint32_t)c->dilation_w * c->in_c,
        .w_row = c->kernel_w * depth,
    };
}

static inline conv_patch_t conv_patch(const plan_conv_2d_t *c, const conv_layout_t *layout,
                                      const int8_t *x, taps_t rows, taps_t columns)
{
    if (rows.end <= rows.first || columns.end <= columns.first) {
        return (conv_patch_t){.x = x, .rows = 0};
    }
    uint32_t taps = (uint32_t)(columns.end - columns.first);
    return (conv_patch_t){
        .x = x + (rows.start * c->in_w + columns.start) * c->in_c,
        .first = (uint32_t)(rows.first * c->kernel_w + columns.first) * layout->depth,
        .rows = (uint32_t)(rows.end - rows.first),
        .runs = layout->whole_rows ? 1 : taps,
        .run = layout->whole_rows ? taps * layout->depth : layout->depth,
    };
}

/* acc + the inner product of a patch, from the group's first channel on, with a row of weights.
 * Each kernel makes its conv_dot_t of it with the inner product of its packing. */
INFER_TEMPLATE uint32_t conv_dot(uint32_t acc, const conv_patch_t *patch,
                                 const conv_layout_t *layout, uint32_t channel, int32_t x_offset,
                                 const uint8_t *weights, dot_t *dot)
{
    const int8_t *x_row = patch->x + channel;
    uint32_t w_row = patch->first;
    for (uint32_t row = 0; row < patch->rows; row++) {
        const int8_t *x = x_row;
        uint32_t w = w_row;
        for (uint32_t run = 0; run < patch->runs; run++) {
            acc = dot(acc, x, x_offset, weights, w, 0, patch->run);
            x += layout->x_column;
            w += patch->run;
        }
        x_row += layout->x_row;
        w_row += layout->w_row;
    }
    return acc;
}

typedef uint32_t conv_dot_t(uint32_t acc, const conv_patch_t *patch, const conv_layout_t *layout,
                            uint32_t channel, int32_t x_offset, const uint8_t *weights);

/* All channels of one output pixel. */
INFER_TEMPLATE void conv_pixel(const plan_conv_2d_t *c, const conv_layout_t *layout,
                               const conv_patch_t *patch, const uint8_t *weights,
                               uint32_t row_bytes, const channels_t *channels, int8_t *y,
                               conv_dot_t *dot)
{
    uint32_t in_group = c->out_c / (uint32_t)c->groups;
    uint32_t out = 0;
    for (uint32_t group = 0; group < c->groups; group++) {
        for (uint32_t i = 0; i < in_group; i++) {
            uint32_t acc = dot((uint32_t)channels->bias[out], patch, layout, group * layout->depth,
                               -c->x_zero_point, weights);
            y[out] = channel_output(channels, out, acc);
            weights += row_bytes;
            out++;
        }
    }
}

/* The operator, with `row_bytes` bytes for each output channel's weights. */
INFER_TEMPLATE void conv_2d(const infer_t *model, const plan_conv_2d_t *c, uint32_t row_bytes,
                            conv_dot_t *dot)
{
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    const uint8_t *weights = (const uint8_t *)infer_data(model->plan, c->weights);
    channels_t channels = channels_at(model->plan, &c->op, c->channels, c->out_c);
    conv_layout_t layout = conv_layout(c);
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
                conv_patch_t patch = conv_patch(c, &layout, x, rows, columns);
                conv_pixel(c, &layout, &patch, weights, row_bytes, &channels, y, dot);
                y += c->out_c;
            }
        }
        x += (uint32_t)c->in_h * c->in_w * c->in_c;
    }
}

#endif
