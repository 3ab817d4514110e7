/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of AVERAGE_POOL_2D and MAX_POOL_2D records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

/* A sum of this many codes, plus half as many for rounding, fits in 32 bits. */
#define MAX_TAPS    (1u << 23)
#define MAX_TAPS_16 (1u << 15)

static infer_window_t window_of(const plan_pool_2d_t *c)
{
    return (infer_window_t){
        .batches = c->batches,
        .in_h = c->in_h,
        .in_w = c->in_w,
        .in_c = c->channels,
        .out_h = c->out_h,
        .out_w = c->out_w,
        .out_c = c->channels,
        .kernel_h = c->kernel_h,
        .kernel_w = c->kernel_w,
        .stride_h = c->stride_h,
        .stride_w = c->stride_w,
        .dilation_h = 1,
        .dilation_w = 1,
        .pad_top = c->pad_top,
        .pad_left = c->pad_left,
        .size = infer_layer_size(&c->op),
    };
}

infer_status_t infer_check_pool_2d(const plan_header_t *plan, const plan_op_t *op,
                                   infer_uses_t *uses)
{
    const plan_pool_2d_t *c = (const plan_pool_2d_t *)op;
    infer_window_t window = window_of(c);
    (void)plan;
    if (!infer_window_ok(&window) || !infer_window_has_taps(&window) ||
        size_mul(c->kernel_h, c->kernel_w) > (window.size == 2 ? MAX_TAPS_16 : MAX_TAPS)) {
        return INFER_E_SHAPE;
    }
    infer_window_uses(&window, c->x, c->y, uses);
    return infer_layer_codes_ok(op, 0, 0, c->act_min, c->act_max) ? INFER_OK : INFER_E_RANGE;
}

int32_t infer_overlap_pool_2d(const plan_op_t *op)
{
    infer_window_t window = window_of((const plan_pool_2d_t *)op);
    return infer_window_overlap(&window);
}
