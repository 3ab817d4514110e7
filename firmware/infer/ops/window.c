/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Geometry of sliding windows: what makes it sound, and how far the output must trail the input.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

/* Above any sum of input size and padding on both sides, far below 2^31. */
#define MAX_SPAN (1u << 18)

static int axis_ok(uint32_t in, uint32_t out, uint32_t kernel, uint32_t stride, uint32_t dilation)
{
    if (in == 0 || out == 0 || kernel == 0 || stride == 0 || dilation == 0) {
        return 0;
    }
    return size_mul(out, stride) <= MAX_SPAN && size_mul(kernel, dilation) <= MAX_SPAN;
}

int infer_window_ok(const infer_window_t *w)
{
    return w->batches != 0 && w->in_c != 0 && w->out_c != 0 &&
           axis_ok(w->in_h, w->out_h, w->kernel_h, w->stride_h, w->dilation_h) &&
           axis_ok(w->in_w, w->out_w, w->kernel_w, w->stride_w, w->dilation_w);
}

/* The first window ends after the input begins, the last begins before it ends. */
static int axis_has_taps(uint32_t in, uint32_t out, uint32_t kernel, uint32_t stride, uint32_t pad)
{
    return kernel > pad && (out - 1) * stride < in + pad;
}

int infer_window_has_taps(const infer_window_t *w)
{
    return axis_has_taps(w->in_h, w->out_h, w->kernel_h, w->stride_h, w->pad_top) &&
           axis_has_taps(w->in_w, w->out_w, w->kernel_w, w->stride_w, w->pad_left);
}

void infer_window_uses(const infer_window_t *w, uint16_t x, uint16_t y, infer_uses_t *uses)
{
    infer_use_typed(uses, x, size_mul4(w->batches, w->in_h, w->in_w, w->in_c), w->size, y,
                    size_mul4(w->batches, w->out_h, w->out_w, w->out_c), w->size);
}

static int64_t origin(uint32_t out, uint32_t stride, uint32_t pad)
{
    int64_t at = (int64_t)out * stride - pad;
    return at > 0 ? at : 0;
}

/* Lowest element that output row `out_y` reads of input column `column` or to the right of it. */
static int64_t lowest_in_row(const infer_window_t *w, uint32_t out_y, int64_t column)
{
    return (origin(out_y, w->stride_h, w->pad_top) * w->in_w + column) * w->in_c;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* (p + 1) * w - lowest(p) of overlap.h, in elements, within one batch; the next one starts where x
 * ends. */
static int64_t distance_at(const infer_window_t *w, uint32_t out_y, uint32_t out_x)
{
    int64_t written = ((int64_t)out_y * w->out_w + out_x + 1) * w->out_c;
    int64_t lowest = lowest_in_row(w, out_y, origin(out_x, w->stride_w, w->pad_left));
    if (out_y + 1 < w->out_h) {
        lowest = lesser(lowest, lowest_in_row(w, out_y + 1, 0));
    }
    return written - lesser(lowest, (int64_t)w->in_h * w->in_w * w->in_c);
}

/* The largest over one row: the columns where the piecewise linear distance can have its top. */
static int64_t distance_of_row(const infer_window_t *w, uint32_t out_y)
{
    uint32_t last = w->out_w - 1;
    uint32_t kink = w->pad_left / w->stride_w < last ? w->pad_left / w->stride_w : last;
    const uint32_t columns[3] = {kink, kink < last ? kink + 1 : last, last};
    int64_t most = INT64_MIN;
    for (uint32_t i = 0; i < 3; i++) {
        int64_t here = distance_at(w, out_y, columns[i]);
        most = here > most ? here : most;
    }
    return most;
}

int32_t infer_window_overlap(const infer_window_t *w)
{
    if (!infer_window_ok(w)) {
        return INFER_OVERLAP_NEVER;
    }
    int64_t most = INT64_MIN;
    for (uint32_t out_y = 0; out_y < w->out_h; out_y++) {
        int64_t here = distance_of_row(w, out_y);
        most = here > most ? here : most;
    }
    int64_t written = (int64_t)w->out_h * w->out_w * w->out_c;
    int64_t growth = written - (int64_t)w->in_h * w->in_w * w->in_c;
    if (growth > 0) {
        growth = growth < INT32_MAX ? growth : INT32_MAX;
        most += growth * (w->batches - 1);
    }
    return infer_overlap_bytes(most, w->size);
}
