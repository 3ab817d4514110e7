/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Layers of int16 activations and int8 weights: inner products, and from an accumulator to the
 * output of its channel. No operand has a zero point.
 */
#ifndef INFER_KERNELS_LAYER_S16_H
#define INFER_KERNELS_LAYER_S16_H

#include "infer/kernel.h"
#include "infer/kernels/inline.h"
#include "infer/kernels/requantize.h"
#include "infer/ops/ops.h"

/* So many products of an int16 and an int8 code fit in 32 bits. */
#define SUMMANDS_S16 256u

/* The channel block of an operator (see plan.h) and its output's bounds: `bias` is NULL under
 * PLAN_OP_ACC_32, else `bias32` and `multiplier32` are. */
typedef struct {
    const plan_int64_t *bias;
    const int16_t *multiplier;
    const int32_t *bias32;
    const int32_t *multiplier32;
    const int8_t *shift;
    uint32_t step; /* 1: a multiplier for each channel; 0: one for all */
    int32_t min;
    int32_t max;
} channels_s16_t;

/* The block of n channels at `offset` of the data section. */
static inline channels_s16_t channels_s16_at(const plan_header_t *plan, const plan_op_t *op,
                                             uint32_t offset, uint32_t n)
{
    const void *block = infer_data(plan, offset);
    channels_s16_t channels = {.step = (op->flags & PLAN_OP_PER_TENSOR) != 0 ? 0 : 1};
    uint32_t m = channels.step != 0 ? n : 1;
    if ((op->flags & PLAN_OP_ACC_32) != 0) {
        channels.bias32 = (const int32_t *)block;
        channels.multiplier32 = channels.bias32 + n;
        channels.shift = (const int8_t *)(channels.multiplier32 + m);
    } else {
        channels.bias = (const plan_int64_t *)block;
        channels.multiplier = (const int16_t *)(channels.bias + n);
        channels.shift = (const int8_t *)(channels.multiplier + m);
    }
    return channels;
}

/* What the accumulator of channel c starts with. */
static inline uint64_t channel_bias_s16(const channels_s16_t *channels, uint32_t c)
{
    if (channels->bias == NULL) {
        return (uint64_t)(int64_t)channels->bias32[c];
    }
    return (uint64_t)channels->bias[c].high << 32 | channels->bias[c].low;
}

/* Output code of channel c whose accumulator, bias included, is acc. A 32-bit accumulator is the
 * lower half of a 64-bit one. */
static inline int16_t channel_output_s16(const channels_s16_t *channels, uint32_t c, uint64_t acc)
{
    uint32_t i = c * channels->step;
    int32_t shift = channels->shift[i];
    int32_t y = channels->bias == NULL
                    ? requantize((int32_t)(uint32_t)acc, channels->multiplier32[i], shift)
                    : requantize_64(acc, channels->multiplier[i], shift);
    return (int16_t)clamp(y, channels->min, channels->max);
}

/* acc + sum of x[i * x_step] * w[i * w_step] for i < n. */
INFER_LEAF uint64_t dot_s16(uint64_t acc, const int16_t *x, uint32_t x_step, const int8_t *w,
                            uint32_t w_step, uint32_t n)
{
    while (n != 0) {
        uint32_t part = n < SUMMANDS_S16 ? n : SUMMANDS_S16;
        int32_t sum = 0;
        for (uint32_t i = 0; i < part; i++) {
            sum += *x * *w;
            x += x_step;
            w += w_step;
        }
        acc += (uint64_t)(int64_t)sum;
        n -= part;
    }
    return acc;
}

#endif
