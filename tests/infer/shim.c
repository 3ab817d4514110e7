/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Inline functions of the kernels' headers, made visible to the tests.
 */
#include "infer/kernels/dot.h"
#include "infer/kernels/layer_s16.h"
#include "infer/kernels/requantize.h"
#include "infer/kernels/taps.h"

int32_t shim_doubling_high_mul(int32_t a, int32_t b)
{
    return doubling_high_mul(a, b);
}

int32_t shim_rounding_shr(int32_t x, uint32_t shift)
{
    return rounding_shr(x, shift);
}

int32_t shim_requantize(int32_t x, int32_t multiplier, int32_t shift)
{
    return requantize(x, multiplier, shift);
}

int32_t shim_requantize_64(uint64_t x, int32_t multiplier, int32_t shift)
{
    return requantize_64(x, multiplier, shift);
}

int32_t shim_wrapping_sub(int32_t a, int32_t b)
{
    return wrapping_sub(a, b);
}

uint64_t shim_dot_s16(uint64_t acc, const int16_t *x, uint32_t x_step, const int8_t *w,
                      uint32_t w_step, uint32_t n)
{
    return dot_s16(acc, x, x_step, w, w_step, n);
}

int32_t shim_clamp(int32_t x, int32_t min, int32_t max)
{
    return clamp(x, min, max);
}

uint32_t shim_dot_s4(uint32_t acc, const int8_t *x, int32_t x_offset, const uint8_t *row,
                     uint32_t first, int32_t w_offset, uint32_t n)
{
    return dot_s4(acc, x, x_offset, row, first, w_offset, n);
}

uint32_t shim_dot_s8(uint32_t acc, const int8_t *x, int32_t x_offset, const uint8_t *row,
                     uint32_t first, int32_t w_offset, uint32_t n)
{
    return dot_s8(acc, x, x_offset, row, first, w_offset, n);
}

taps_t shim_taps_inside(int32_t out, int32_t stride, int32_t pad, int32_t in, int32_t kernel,
                        int32_t dilation)
{
    return taps_inside(out, stride, pad, in, kernel, dilation);
}
