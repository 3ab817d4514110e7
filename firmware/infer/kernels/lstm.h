/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * UNIDIRECTIONAL_SEQUENCE_LSTM, common to 8- and 16-bit activations: the kernel gives the sums of
 * the gates, and stores y. One unit after the other, so that nothing but the states is kept: the
 * hidden state of the step before is the row of y written then.
 * Semantics: TFLM micro/kernels/lstm_eval.h and lstm_eval.cc.
 */
#ifndef INFER_KERNELS_LSTM_H
#define INFER_KERNELS_LSTM_H

#include <string.h>

#include "infer/kernel.h"
#include "infer/kernels/elements.h"
#include "infer/kernels/inline.h"
#include "infer/kernels/requantize.h"
#include "infer/kernels/sigmoid.h"

enum { LSTM_INPUT, LSTM_FORGET, LSTM_CANDIDATE, LSTM_OUTPUT, LSTM_GATES };

/* What input and hidden state give for gate `gate` (unit * LSTM_GATES + its number) before its
 * function, x and h being their rows. */
typedef int32_t lstm_gate_t(const infer_t *model, const plan_lstm_t *c, const uint8_t *x,
                            const uint8_t *h, uint32_t gate);

static inline int32_t clamp_int16(int32_t x)
{
    return clamp(x, INT16_MIN, INT16_MAX);
}

INFER_LEAF int32_t rescale_int16(int32_t x, plan_rescale_t rescale)
{
    return clamp_int16(requantize(x, rescale.multiplier, rescale.shift));
}

/* The function of a gate in Q3.12. */
INFER_LEAF int32_t lstm_sigmoid(const uint16_t *table, int32_t gate)
{
    return sigmoid_q15(table, sigmoid_argument(gate, 3, 0));
}

INFER_LEAF int32_t lstm_tanh(const uint16_t *table, int32_t x, uint32_t multiplier, uint32_t shift)
{
    return tanh_q15(table, sigmoid_argument(x, multiplier, shift));
}

/* The next cell state of a unit. */
static int16_t lstm_cell(const plan_lstm_t *c, const uint16_t *table, const int32_t *gates,
                         int32_t cell)
{
    int32_t input = lstm_sigmoid(table, gates[LSTM_INPUT]);
    int32_t forget = lstm_sigmoid(table, gates[LSTM_FORGET]);
    int32_t candidate = lstm_tanh(table, gates[LSTM_CANDIDATE], 3, 0);
    int32_t kept = rescale_int16(forget * cell, c->forget_rescale);
    int32_t added = rescale_int16(input * candidate, c->input_rescale);
    return (int16_t)clamp(kept + added, c->cell_min, c->cell_max);
}

/* y of a unit. */
static int32_t lstm_hidden(const plan_lstm_t *c, const uint16_t *table, int32_t gate, int32_t cell)
{
    int32_t output = lstm_sigmoid(table, gate);
    int32_t squashed = lstm_tanh(table, cell, c->tanh_multiplier, c->tanh_shift);
    int32_t y =
        requantize(squashed * output, c->output_rescale.multiplier, c->output_rescale.shift);
    return wrapping_add(y, c->y_zero_point);
}

/* One row of y of out_n units: h is the row of the step before. */
INFER_TEMPLATE void lstm_row(const infer_t *model, const plan_lstm_t *c, const uint8_t *x,
                             const uint8_t *h, int16_t *cell, uint8_t *y, lstm_gate_t *gate,
                             store_t *saturate)
{
    const uint16_t *table = (const uint16_t *)infer_data(model->plan, c->constant);
    for (uint32_t unit = 0; unit < c->out_n; unit++) {
        int32_t gates[LSTM_GATES];
        for (uint32_t k = 0; k < LSTM_GATES; k++) {
            gates[k] = gate(model, c, x, h, unit * LSTM_GATES + k);
        }
        cell[unit] = lstm_cell(c, table, gates, cell[unit]);
        saturate(y, unit, lstm_hidden(c, table, gates[LSTM_OUTPUT], cell[unit]));
    }
}

/* The operator on elements of `size` bytes; `saturate` stores codes that may not fit. */
INFER_TEMPLATE void lstm(const infer_t *model, const plan_lstm_t *c, uint32_t size,
                         lstm_gate_t *gate, store_t *saturate)
{
    const uint8_t *x = (const uint8_t *)infer_tensor(model, c->x);
    uint8_t *y = (uint8_t *)infer_tensor(model, c->y);
    uint8_t *hidden = (uint8_t *)infer_tensor(model, c->hidden);
    int16_t *cell = (int16_t *)infer_tensor(model, c->cell);
    uint32_t row_bytes = c->out_n * size;
    uint32_t back = (c->time_major != 0 ? c->batches : 1) * row_bytes; /* to the step before */
    for (uint32_t row = 0; row < c->batches * c->steps; row++) {
        uint32_t step = c->time_major != 0 ? row / c->batches : row % c->steps;
        uint32_t batch = c->time_major != 0 ? row % c->batches : row / c->steps;
        uint8_t *state = hidden + batch * row_bytes;
        const uint8_t *h = step == 0 ? state : y - back;
        lstm_row(model, c, x, h, cell + batch * c->out_n, y, gate, saturate);
        if (step == c->steps - 1) {
            memcpy(state, y, row_bytes);
        }
        x += c->in_n * size;
        y += row_bytes;
    }
}

#endif
