/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * FULLY_CONNECTED of int16 activations with int8 weights.
 * Semantics: TFLM kernels/internal/reference/integer_ops/fully_connected.h.
 */
#include "infer/kernels/layer_s16.h"

static void fully_connected_s16_run(const infer_t *model, const plan_op_t *op)
{
    const plan_fully_connected_t *c = (const plan_fully_connected_t *)op;
    const int16_t *x = (const int16_t *)infer_tensor(model, c->x);
    int16_t *y = (int16_t *)infer_tensor(model, c->y);
    const int8_t *weights = (const int8_t *)infer_data(model->plan, c->weights);
    channels_s16_t channels = channels_s16_at(model->plan, op, c->channels, c->out_n);
    channels.min = c->act_min;
    channels.max = c->act_max;
    for (uint32_t batch = 0; batch < c->batches; batch++) {
        const int8_t *row = weights;
        for (uint32_t out = 0; out < c->out_n; out++) {
            uint64_t acc = dot_s16(channel_bias_s16(&channels, out), x, 1, row, 1, c->in_n);
            *y++ = channel_output_s16(&channels, out, acc);
            row += c->in_n;
        }
        x += c->in_n;
    }
}

const infer_kernel_t infer_fully_connected_s16 = {
    .words = sizeof(plan_fully_connected_t) / 4,
    .flags = PLAN_OP_OVERLAP | PLAN_OP_PER_TENSOR | PLAN_OP_ACC_32,
    .check = infer_check_fully_connected,
    .overlap = infer_overlap_fully_connected,
    .run = fully_connected_s16_run,
};
