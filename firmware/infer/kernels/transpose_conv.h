/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * TRANSPOSE_CONV, common to all activation types: which taps make an output pixel. The reference
 * spreads each input pixel over the output; here each output pixel collects its taps, so that no
 * accumulators have to be kept. Sums of integers do not depend on the order.
 * Semantics: TFLM kernels/internal/reference/integer_ops/transpose_conv.h.
 */
#ifndef INFER_KERNELS_TRANSPOSE_CONV_H
#define INFER_KERNELS_TRANSPOSE_CONV_H

#include <stdint.h>

/* Taps first, first + stride, ... are fed by the input's elements start, start - 1, ... */
typedef struct {
    uint32_t first;
    uint32_t start;
    uint32_t count;
} spread_t;

/* What feeds output element `out` along an axis of `in` input elements. */
static inline spread_t spread(uint32_t out, uint32_t stride, uint32_t pad, uint32_t in,
                              uint32_t kernel)
{
    uint32_t at = out + pad;
    uint32_t start = at / stride < in ? at / stride : in - 1;
    uint32_t first = at - start * stride;
    uint32_t count = first < kernel ? (kernel - first - 1) / stride + 1 : 0;
    return (spread_t){
        .first = first,
        .start = start,
        .count = count < start + 1 ? count : start + 1,
    };
}

#endif
