/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Convolutions of int16 activations: CONV_2D and DEPTHWISE_CONV_2D differ in how their weights
 * lie, and in how many input channels an output channel reads.
 * Semantics: TFLM kernels/internal/reference/integer_ops/conv.h, depthwise_conv.h.
 */
#ifndef INFER_KERNELS_WINDOW_S16_H
#define INFER_KERNELS_WINDOW_S16_H

#include "infer/kernels/layer_s16.h"
#include "infer/kernels/taps.h"

typedef struct {
    infer_window_t window;
    uint32_t depth;     /* input channels that an output channel reads */
    uint32_t siblings;  /* output channels that read the same ones */
    uint32_t w_tap;     /* codes from a tap's weights to the next one's */
    uint32_t w_channel; /* from an output channel's weights to the next one's */
} conv_s16_t;

/* The taps of one output pixel that lie inside the input: rows of runs of codes, the codes of a
 * run x_step and w_step apart. */
typedef struct {
    const int16_t *x;
    const int8_t *w;
    uint32_t rows;
    uint32_t runs;
    uint32_t run;
    uint32_t x_step;
    uint32_t w_step;
} patch_s16_t;

static inline taps_t rows_inside(const infer_window_t *w, uint32_t out_y)
{
    return taps_inside((int32_t)out_y, (int32_t)w->stride_h, (int32_t)w->pad_top, (int32_t)w->in_h,
                       (int32_t)w->kernel_h, (int32_t)w->dilation_h);
}

static inline taps_t columns_inside(const infer_window_t *w, uint32_t out_x)
{
    return taps_inside((int32_t)out_x, (int32_t)w->stride_w, (int32_t)w->pad_left, (int32_t)w->in_w,
                       (int32_t)w->kernel_w, (int32_t)w->dilation_w);
}

static inline patch_s16_t patch_s16(const conv_s16_t *c, const int16_t *x, const int8_t *w,
                                    taps_t rows, taps_t columns)
{
    const infer_window_t *window = &c->window;
    if (rows.end <= rows.first || columns.end <= columns.first) {
        return (patch_s16_t){.x = x, .w = w, .rows = 0};
    }
    uint32_t taps = (uint32_t)(columns.end - columns.first);
    uint32_t x_tap = window->dilation_w * window->in_c;
    uint32_t first = (uint32_t)rows.first * window->kernel_w + (uint32_t)columns.first;
    patch_s16_t patch = {
        .x = x + ((uint32_t)rows.start * window->in_w + (uint32_t)columns.start) * window->in_c,
        .w = w + first * c->w_tap,
        .rows = (uint32_t)(rows.end - rows.first),
        .runs = taps,
        .run = c->depth,
        .x_step = 1,
        .w_step = 1,
    };
    if (c->depth == x_tap && c->depth == c->w_tap) { /* nothing lies between two taps */
        patch.runs = 1;
        patch.run = taps * c->depth;
    } else if (c->depth == 1) {
        patch.runs = 1;
        patch.run = taps;
        patch.x_step = x_tap;
        patch.w_step = c->w_tap;
    }
    return patch;
}

/* acc + the taps of a patch; `channel` is the first input channel, `w` the weights' first code. */
static uint64_t patch_dot_s16(uint64_t acc, const conv_s16_t *c, const patch_s16_t *patch,
                              uint32_t channel, const int8_t *w)
{
    const infer_window_t *window = &c->window;
    const int16_t *x_row = patch->x + channel;
    for (uint32_t row = 0; row < patch->rows; row++) {
        const int16_t *x_run = x_row;
        const int8_t *w_run = w;
        for (uint32_t run = 0; run < patch->runs; run++) {
            acc = dot_s16(acc, x_run, patch->x_step, w_run, patch->w_step, patch->run);
            x_run += window->dilation_w * window->in_c;
            w_run += c->w_tap;
        }
        x_row += window->dilation_h * window->in_w * window->in_c;
        w += window->kernel_w * c->w_tap;
    }
    return acc;
}

/* All channels of one output pixel. */
static inline void pixel_s16(const conv_s16_t *c, const patch_s16_t *patch,
                             const channels_s16_t *channels, int16_t *y)
{
    const int8_t *w = patch->w;
    uint32_t channel = 0;
    for (uint32_t out = 0; out < c->window.out_c; channel += c->depth) {
        for (uint32_t i = 0; i < c->siblings; i++) {
            uint64_t acc = channel_bias_s16(channels, out);
            acc = patch_dot_s16(acc, c, patch, channel, w);
            y[out] = channel_output_s16(channels, out, acc);
            w += c->w_channel;
            out++;
        }
    }
}

/* The operator. */
static inline void conv_s16(const conv_s16_t *c, const int16_t *x, const int8_t *weights,
                            const channels_s16_t *channels, int16_t *y)
{
    const infer_window_t *w = &c->window;
    for (uint32_t batch = 0; batch < w->batches; batch++) {
        for (uint32_t out_y = 0; out_y < w->out_h; out_y++) {
            taps_t rows = rows_inside(w, out_y);
            for (uint32_t out_x = 0; out_x < w->out_w; out_x++) {
                patch_s16_t patch = patch_s16(c, x, weights, rows, columns_inside(w, out_x));
                pixel_s16(c, &patch, channels, y);
                y += w->out_c;
            }
        }
        x += w->in_h * w->in_w * w->in_c;
    }
}

#endif
