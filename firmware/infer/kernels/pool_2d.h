/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Pooling over windows, common to all element types: the kernel gives what becomes of the taps of
 * one channel, and how elements are read and written.
 * Semantics: TFLM kernels/internal/reference/integer_ops/pooling.h.
 */
#ifndef INFER_KERNELS_POOL_2D_H
#define INFER_KERNELS_POOL_2D_H

#include "infer/kernel.h"
#include "infer/kernels/elements.h"
#include "infer/kernels/inline.h"
#include "infer/kernels/requantize.h"
#include "infer/kernels/taps.h"

/* The taps of one channel of an output pixel that lie inside the input: at least one. */
typedef struct {
    uint32_t first; /* the number of the first tap's element */
    uint32_t rows;
    uint32_t columns;
    uint32_t x_row;    /* elements from a row of taps to the next */
    uint32_t x_column; /* from a tap to the next: the number of channels */
} pool_patch_t;

/* Pools a patch of x. */
typedef int32_t pool_t(const void *x, const pool_patch_t *patch);

/* The mean of the taps inside, ties rounded away from zero. */
INFER_TEMPLATE int32_t pool_average(const void *x, const pool_patch_t *patch, load_t *load)
{
    uint32_t row_at = patch->first;
    int32_t count = (int32_t)(patch->rows * patch->columns);
    int32_t sum = 0;
    for (uint32_t row = 0; row < patch->rows; row++) {
        uint32_t at = row_at;
        for (uint32_t column = 0; column < patch->columns; column++) {
            sum += load(x, at);
            at += patch->x_column;
        }
        row_at += patch->x_row;
    }
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

/* The largest of the taps inside. */
INFER_TEMPLATE int32_t pool_largest(const void *x, const pool_patch_t *patch, load_t *load)
{
    uint32_t row_at = patch->first;
    int32_t max = INT16_MIN;
    for (uint32_t row = 0; row < patch->rows; row++) {
        uint32_t at = row_at;
        for (uint32_t column = 0; column < patch->columns; column++) {
            int32_t code = load(x, at);
            max = code > max ? code : max;
            at += patch->x_column;
        }
        row_at += patch->x_row;
    }
    return max;
}

INFER_TEMPLATE void pool_2d(const infer_t *model, const plan_pool_2d_t *c, pool_t *pool,
                            store_t *store)
{
    const void *x = infer_tensor(model, c->x);
    void *y = infer_tensor(model, c->y);
    uint32_t x_row = (uint32_t)c->in_w * c->channels;
    uint32_t at = 0;
    uint32_t image = 0;
    for (uint32_t batch = 0; batch < c->batches; batch++) {
        for (int32_t out_y = 0; out_y < c->out_h; out_y++) {
            taps_t rows = taps_inside(out_y, c->stride_h, c->pad_top, c->in_h, c->kernel_h, 1);
            for (int32_t out_x = 0; out_x < c->out_w; out_x++) {
                taps_t columns =
                    taps_inside(out_x, c->stride_w, c->pad_left, c->in_w, c->kernel_w, 1);
                pool_patch_t patch = {
                    .first = image + (uint32_t)rows.start * x_row +
                             (uint32_t)columns.start * c->channels,
                    .rows = (uint32_t)(rows.end - rows.first),
                    .columns = (uint32_t)(columns.end - columns.first),
                    .x_row = x_row,
                    .x_column = c->channels,
                };
                for (uint32_t i = 0; i < c->channels; i++) {
                    store(y, at++, clamp(pool(x, &patch), c->act_min, c->act_max));
                    patch.first++;
                }
            }
        }
        image += c->in_h * x_row;
    }
}

#endif
