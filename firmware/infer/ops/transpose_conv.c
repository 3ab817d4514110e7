/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of TRANSPOSE_CONV records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

/* The window of the convolution that goes the other way, from y to x. */
static infer_window_t window_of(const plan_transpose_conv_t *c)
{
    return (infer_window_t){
        .batches = c->batches,
        .in_h = c->out_h,
        .in_w = c->out_w,
        .in_c = c->out_c,
        .out_h = c->in_h,
        .out_w = c->in_w,
        .out_c = c->in_c,
        .kernel_h = c->kernel_h,
        .kernel_w = c->kernel_w,
        .stride_h = c->stride_h,
        .stride_w = c->stride_w,
        .dilation_h = 1,
        .dilation_w = 1,
        .pad_top = c->pad_top,
        .pad_left = c->pad_left,
    };
}

infer_status_t infer_check_transpose_conv(const plan_header_t *plan, const plan_op_t *op,
                                          infer_uses_t *uses)
{
    const plan_transpose_conv_t *c = (const plan_transpose_conv_t *)op;
    uint32_t size = infer_layer_size(op);
    infer_window_t window = window_of(c);
    if (c->reserved != 0) {
        return INFER_E_RECORD;
    }
    if (!infer_window_ok(&window)) {
        return INFER_E_SHAPE;
    }
    infer_use_typed(uses, c->x, size_mul4(c->batches, c->in_h, c->in_w, c->in_c), size, c->y,
                    size_mul4(c->batches, c->out_h, c->out_w, c->out_c), size);
    uint32_t weights = size_mul4(c->out_c, c->kernel_h, c->kernel_w, c->in_c);
    if (!infer_data_ok(plan, c->weights, weights)) {
        return INFER_E_DATA;
    }
    if (!infer_layer_codes_ok(op, c->x_zero_point, c->y_zero_point, c->act_min, c->act_max)) {
        return INFER_E_RANGE;
    }
    return infer_check_channels(plan, op, c->channels, c->out_c);
}

/* The first row of x that row `out_y` of y, or a later one, is made of. */
static int64_t lowest_row(const plan_transpose_conv_t *c, uint32_t out_y)
{
    int32_t above = (int32_t)out_y + c->pad_top - (c->kernel_h - 1);
    int32_t row = above > 0 ? (above + c->stride_h - 1) / c->stride_h : 0;
    return row < c->in_h ? row : c->in_h;
}

/* (p + 1) * w - lowest(p) of overlap.h with rows as steps, which is enough for pixels. */
int32_t infer_overlap_transpose_conv(const plan_op_t *op)
{
    const plan_transpose_conv_t *c = (const plan_transpose_conv_t *)op;
    infer_window_t window = window_of(c);
    if (!infer_window_ok(&window)) {
        return INFER_OVERLAP_NEVER;
    }
    int64_t x_row = (int64_t)c->in_w * c->in_c;
    int64_t y_row = (int64_t)c->out_w * c->out_c;
    int64_t most = INT64_MIN;
    for (uint32_t out_y = 0; out_y < c->out_h; out_y++) {
        int64_t here = (out_y + 1) * y_row - lowest_row(c, out_y) * x_row;
        most = here > most ? here : most;
    }
    int64_t growth = c->out_h * y_row - c->in_h * x_row;
    if (growth > 0) {
        growth = growth < INT32_MAX ? growth : INT32_MAX;
        most += growth * (c->batches - 1);
    }
    return infer_overlap_bytes(most, infer_layer_size(op));
}
