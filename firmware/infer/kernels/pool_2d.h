/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Pooling over windows: the kernel gives what becomes of the taps of one channel.
 */
#ifndef INFER_KERNELS_POOL_2D_H
#define INFER_KERNELS_POOL_2D_H

#include "infer/kernel.h"
#include "infer/kernels/inline.h"
#include "infer/kernels/requantize.h"
#include "infer/kernels/taps.h"

/* The taps of one output pixel that lie inside the input: at least one. */
typedef struct {
    const int8_t *x; /* the first tap, channel 0 */
    uint32_t rows;
    uint32_t columns;
    uint32_t x_row;    /* bytes from a row of taps to the next */
    uint32_t x_column; /* from a tap to the next: the number of channels */
} pool_patch_t;

/* Pools one channel of a patch. */
typedef int32_t pool_t(const pool_patch_t *patch, uint32_t channel);

INFER_TEMPLATE void pool_2d(const infer_t *model, const plan_pool_2d_t *c, pool_t *pool)
{
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    uint32_t x_row = (uint32_t)c->in_w * c->channels;
    for (uint32_t batch = 0; batch < c->batches; batch++) {
        for (int32_t out_y = 0; out_y < c->out_h; out_y++) {
            taps_t rows = taps_inside(out_y, c->stride_h, c->pad_top, c->in_h, c->kernel_h, 1);
            for (int32_t out_x = 0; out_x < c->out_w; out_x++) {
                taps_t columns =
                    taps_inside(out_x, c->stride_w, c->pad_left, c->in_w, c->kernel_w, 1);
                pool_patch_t patch = {
                    .x = x + (rows.start * c->in_w + columns.start) * c->channels,
                    .rows = (uint32_t)(rows.end - rows.first),
                    .columns = (uint32_t)(columns.end - columns.first),
                    .x_row = x_row,
                    .x_column = c->channels,
                };
                for (uint32_t i = 0; i < c->channels; i++) {
                    *y++ = (int8_t)clamp(pool(&patch, i), c->act_min, c->act_max);
                }
            }
        }
        x += c->in_h * x_row;
    }
}

#endif
