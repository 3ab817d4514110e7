/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Which taps of a sliding window lie inside the input. Found once a window and axis, so that
 * inner loops need no tests.
 */
#ifndef INFER_KERNELS_TAPS_H
#define INFER_KERNELS_TAPS_H

#include <stdint.h>

/* Taps first .. end-1 are inside (none if end <= first); tap t is at start + (t - first) * step of
 * the input, `start` being where tap `first` is. */
typedef struct {
    int32_t first;
    int32_t end;
    int32_t start;
} taps_t;

/* Division rounded up; windows are seldom dilated, and a small core divides in software. */
static inline int32_t steps_to(int32_t distance, int32_t dilation)
{
    return dilation == 1 ? distance : (distance + dilation - 1) / dilation;
}

/* Window number `out` along an axis of `in` elements. */
static inline taps_t taps_inside(int32_t out, int32_t stride, int32_t pad, int32_t in,
                                 int32_t kernel, int32_t dilation)
{
    int32_t origin = out * stride - pad;
    int32_t first = origin < 0 ? steps_to(-origin, dilation) : 0;
    int32_t end = origin < in ? steps_to(in - origin, dilation) : 0;
    return (taps_t){
        .first = first,
        .end = end < kernel ? end : kernel,
        .start = origin + first * dilation,
    };
}

#endif
