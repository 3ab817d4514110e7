/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of LSTM records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

static int is_wide(const plan_op_t *op)
{
    return op->code == PLAN_OP_LSTM_S16;
}

/* S16 rescales as requantize_64() does. */
static int gate_rescale_ok(const plan_op_t *op, plan_rescale_t rescale)
{
    if (!is_wide(op)) {
        return infer_rescale_ok(rescale);
    }
    return rescale.multiplier >= 0 && rescale.multiplier <= INT16_MAX && rescale.shift >= -31 &&
           rescale.shift <= 14;
}

static int zero_point_ok(const plan_op_t *op, int32_t zero_point)
{
    return is_wide(op) ? zero_point == 0 : infer_code_ok(zero_point);
}

static int ranges_ok(const plan_lstm_t *c)
{
    for (uint32_t k = 0; k < 4; k++) {
        if (!gate_rescale_ok(&c->op, c->x_rescale[k]) ||
            !gate_rescale_ok(&c->op, c->y_rescale[k])) {
            return 0;
        }
    }
    return zero_point_ok(&c->op, c->x_zero_point) && zero_point_ok(&c->op, c->y_zero_point) &&
           c->cell_min <= c->cell_max && infer_rescale_ok(c->forget_rescale) &&
           infer_rescale_ok(c->input_rescale) && infer_rescale_ok(c->output_rescale);
}

/* Whatever the weights and biases are: sums wrap, and all else is saturated to 16 bits before it
 * is multiplied. */
infer_status_t infer_check_lstm(const plan_header_t *plan, const plan_op_t *op, infer_uses_t *uses)
{
    const plan_lstm_t *c = (const plan_lstm_t *)op;
    if (c->reserved != 0 || c->time_major > 1) {
        return INFER_E_RECORD;
    }
    if (c->batches == 0 || c->steps == 0 || c->in_n == 0 || c->out_n == 0) {
        return INFER_E_SHAPE;
    }
    uint32_t size = is_wide(op) ? 2 : 1;
    uint32_t rows = size_mul(c->batches, c->steps);
    uint32_t units = size_mul(c->batches, c->out_n);
    infer_use_typed(uses, c->x, size_mul(rows, c->in_n), size, c->y, size_mul(rows, c->out_n),
                    size);
    uses->states = 2;
    infer_use_at(uses, 2, c->hidden, units, size);
    infer_use_at(uses, 3, c->cell, units, sizeof(int16_t));
    if (!ranges_ok(c)) {
        return INFER_E_RANGE;
    }
    uint32_t gates = size_mul(c->out_n, 4);
    uint32_t weight_bytes = size_mul(gates, size_add(c->in_n, c->out_n));
    if (!infer_data_ok(plan, c->weights, weight_bytes) ||
        !infer_data_ok(plan, c->channels, size_mul(gates, size * (uint32_t)sizeof(int32_t)))) {
        return INFER_E_DATA;
    }
    return infer_check_sigmoid(plan, c->tanh_multiplier, c->tanh_shift, c->constant);
}

/* As FULLY_CONNECTED; of y a row reads only the one before. */
int32_t infer_overlap_lstm(const plan_op_t *op)
{
    const plan_lstm_t *c = (const plan_lstm_t *)op;
    uint32_t rows = size_mul(c->batches, c->steps);
    return infer_rows_overlap(rows, c->in_n, c->out_n, is_wide(op) ? 2 : 1);
}
