/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * From an accumulator to the int8 output of its channel.
 */
#ifndef INFER_KERNELS_CHANNELS_H
#define INFER_KERNELS_CHANNELS_H

#include "infer/kernel.h"
#include "infer/kernels/requantize.h"

/* A channel block (see plan.h) together with the output's zero point and bounds. */
typedef struct {
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    uint32_t step; /* 1: a multiplier for each channel; 0: one for all */
    int32_t zero_point;
    int32_t min;
    int32_t max;
} channels_t;

/* The block of n channels at `offset` of the data section. */
static inline channels_t channels_at(const plan_header_t *plan, const plan_op_t *op,
                                     uint32_t offset, uint32_t n)
{
    const int32_t *bias = (const int32_t *)infer_data(plan, offset);
    uint32_t step = (op->flags & PLAN_OP_PER_TENSOR) != 0 ? 0 : 1;
    const int32_t *multiplier = bias + n;
    const int8_t *shift = (const int8_t *)(multiplier + (step != 0 ? n : 1));
    return (channels_t){.bias = bias, .multiplier = multiplier, .shift = shift, .step = step};
}

/* Output code of channel c whose accumulator, bias included, is acc. */
static inline int8_t channel_output(const channels_t *channels, uint32_t c, uint32_t acc)
{
    uint32_t i = c * channels->step;
    int32_t y = requantize((int32_t)acc, channels->multiplier[i], channels->shift[i]);
    return (int8_t)clamp(wrapping_add(y, channels->zero_point), channels->min, channels->max);
}

#endif
