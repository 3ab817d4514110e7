/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * FULLY_CONNECTED, common to all weight types: the kernel gives the inner product of its packing.
 * Semantics: TFLM kernels/internal/reference/integer_ops/fully_connected.h.
 */
#ifndef INFER_KERNELS_FULLY_CONNECTED_H
#define INFER_KERNELS_FULLY_CONNECTED_H

#include "infer/kernels/channels.h"
#include "infer/kernels/dot.h"

/* The operator, with `row_bytes` bytes for each output's weights. */
INFER_TEMPLATE void fully_connected(const infer_t *model, const plan_fully_connected_t *c,
                                    uint32_t row_bytes, dot_t *dot)
{
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    const uint8_t *weights = (const uint8_t *)infer_data(model->plan, c->weights);
    channels_t channels = channels_at(model->plan, &c->op, c->channels, c->out_n);
    channels.zero_point = c->y_zero_point;
    channels.min = c->act_min;
    channels.max = c->act_max;
    for (uint32_t batch = 0; batch < c->batches; batch++) {
        const uint8_t *row = weights;
        for (uint32_t out = 0; out < c->out_n; out++) {
            uint32_t acc = dot((uint32_t)channels.bias[out], x, -c->x_zero_point, row, 0,
                               -c->w_zero_point, c->in_n);
            *y++ = channel_output(&channels, out, acc);
            row += row_bytes;
        }
        x += c->in_n;
    }
}

#endif
