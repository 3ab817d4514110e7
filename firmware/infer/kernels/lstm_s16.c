/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * UNIDIRECTIONAL_SEQUENCE_LSTM of 16-bit activations and 8-bit weights.
 */
#include "infer/kernels/layer_s16.h"
#include "infer/kernels/lstm.h"

INFER_LEAF int32_t rescale_s16(uint64_t sum, plan_rescale_t rescale)
{
    return clamp_int16(requantize_64(sum, rescale.multiplier, rescale.shift));
}

static int32_t gate_s16(const infer_t *model, const plan_lstm_t *c, const uint8_t *x,
                        const uint8_t *h, uint32_t gate)
{
    const plan_int64_t *bias = (const plan_int64_t *)infer_data(model->plan, c->channels) + gate;
    const int8_t *row = (const int8_t *)infer_data(model->plan, c->weights);
    row += gate * (c->in_n + c->out_n);
    uint64_t start = (uint64_t)bias->high << 32 | bias->low;
    uint64_t of_x = dot_s16(start, (const int16_t *)x, 1, row, 1, c->in_n);
    uint64_t of_h = dot_s16(0, (const int16_t *)h, 1, row + c->in_n, 1, c->out_n);
    uint32_t k = gate % LSTM_GATES;
    return clamp_int16(rescale_s16(of_x, c->x_rescale[k]) + rescale_s16(of_h, c->y_rescale[k]));
}

static inline void saturate_s16(void *y, uint32_t i, int32_t code)
{
    store_s16(y, i, clamp(code, INT16_MIN, INT16_MAX));
}

static void lstm_s16_run(const infer_t *model, const plan_op_t *op)
{
    lstm(model, (const plan_lstm_t *)op, sizeof(int16_t), gate_s16, saturate_s16);
}

const infer_kernel_t infer_lstm_s16 = {
    .words = sizeof(plan_lstm_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_lstm,
    .overlap = infer_overlap_lstm,
    .run = lstm_s16_run,
};
