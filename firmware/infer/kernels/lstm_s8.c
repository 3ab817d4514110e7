/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * UNIDIRECTIONAL_SEQUENCE_LSTM of 8-bit activations.
 */
#include "infer/kernels/dot.h"
#include "infer/kernels/lstm.h"
#include "infer/ops/ops.h"

/* The sum of n products and `start`, as a gate. */
INFER_LEAF int32_t sum_s8(int32_t start, const int8_t *x, int32_t zero_point, const int8_t *w,
                          uint32_t n, plan_rescale_t rescale)
{
    uint32_t sum = dot_s8((uint32_t)start, x, -zero_point, (const uint8_t *)w, 0, 0, n);
    return rescale_int16((int32_t)sum, rescale);
}

static int32_t gate_s8(const infer_t *model, const plan_lstm_t *c, const uint8_t *x,
                       const uint8_t *h, uint32_t gate)
{
    const int32_t *bias = (const int32_t *)infer_data(model->plan, c->channels);
    const int8_t *row = (const int8_t *)infer_data(model->plan, c->weights);
    row += gate * (c->in_n + c->out_n);
    uint32_t k = gate % LSTM_GATES;
    int32_t of_x =
        sum_s8(bias[gate], (const int8_t *)x, c->x_zero_point, row, c->in_n, c->x_rescale[k]);
    int32_t of_h =
        sum_s8(0, (const int8_t *)h, c->y_zero_point, row + c->in_n, c->out_n, c->y_rescale[k]);
    return clamp_int16(of_x + of_h);
}

static inline void saturate_s8(void *y, uint32_t i, int32_t code)
{
    store_s8(y, i, clamp(code, INT8_MIN, INT8_MAX));
}

static void lstm_s8_run(const infer_t *model, const plan_op_t *op)
{
    lstm(model, (const plan_lstm_t *)op, sizeof(int8_t), gate_s8, saturate_s8);
}

const infer_kernel_t infer_lstm_s8 = {
    .words = sizeof(plan_lstm_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_lstm,
    .overlap = infer_overlap_lstm,
    .run = lstm_s8_run,
};
