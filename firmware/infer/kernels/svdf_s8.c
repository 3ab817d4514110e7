/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * SVDF with int8 weights: each filter's newest feature joins its memory, which then is weighted.
 * Semantics: TFLM micro/kernels/svdf_common.cc, without its two scratch buffers, since one filter
 * after the other is computed to its end. States are int16 or int8.
 */
#include "infer/kernels/channels.h"
#include "infer/kernels/dot.h"
#include "infer/ops/ops.h"

/* What filter `filter` makes of `x`: the code that joins the state, rescaled and saturated. */
static int32_t feature(const infer_t *model, const plan_svdf_t *c, const int8_t *x, uint32_t filter)
{
    const uint8_t *row = (const uint8_t *)infer_data(model->plan, c->weights) + filter * c->in_n;
    uint32_t acc = dot_s8(0, x, -c->x_zero_point, row, 0, 0, c->in_n);
    int32_t code = requantize((int32_t)acc, c->state_rescale.multiplier, c->state_rescale.shift);
    int32_t most = c->state_size == 2 ? INT16_MAX : INT8_MAX;
    return clamp(code, -most - 1, most) + c->state_zero_point;
}

/* Forgets the oldest of the `memory` codes at `state`, appends `code` (which wraps where the zero
 * point leads outside), and returns the sum of (state - zero_point) * weight. */
static uint32_t remember_s16(int16_t *state, const int16_t *weights, const plan_svdf_t *c,
                             int32_t code)
{
    uint32_t last = c->memory - 1;
    uint32_t acc = 0;
    for (uint32_t i = 0; i < last; i++) {
        state[i] = state[i + 1];
        acc += (uint32_t)(state[i] - c->state_zero_point) * (uint32_t)(int32_t)weights[i];
    }
    state[last] = (int16_t)code;
    return acc + (uint32_t)(state[last] - c->state_zero_point) * (uint32_t)(int32_t)weights[last];
}

static uint32_t remember_s8(int8_t *state, const int8_t *weights, const plan_svdf_t *c,
                            int32_t code)
{
    uint32_t last = c->memory - 1;
    for (uint32_t i = 0; i < last; i++) {
        state[i] = state[i + 1];
    }
    state[last] = (int8_t)code;
    return dot_s8(0, state, -c->state_zero_point, (const uint8_t *)weights, 0, 0, c->memory);
}

/* The sum of one filter over its memory; `row` counts the filters of all batches. */
static uint32_t filter_output(const infer_t *model, const plan_svdf_t *c, uint32_t row,
                              uint32_t filter, int32_t code)
{
    void *state = infer_tensor(model, c->state);
    const void *weights = infer_data(model->plan, c->constant);
    if (c->state_size == 2) {
        return remember_s16((int16_t *)state + row * c->memory,
                            (const int16_t *)weights + filter * c->memory, c, code);
    }
    return remember_s8((int8_t *)state + row * c->memory,
                       (const int8_t *)weights + filter * c->memory, c, code);
}

static void svdf_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_svdf_t *c = (const plan_svdf_t *)op;
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    channels_t channels = channels_at(model->plan, op, c->channels, c->units);
    channels.zero_point = c->y_zero_point;
    channels.min = INT8_MIN;
    channels.max = INT8_MAX;
    uint32_t row = 0;
    for (uint32_t batch = 0; batch < c->batches; batch++) {
        uint32_t filter = 0;
        for (uint32_t unit = 0; unit < c->units; unit++) {
            uint32_t acc = (uint32_t)channels.bias[unit];
            for (uint32_t r = 0; r < c->rank; r++, filter++, row++) {
                acc += filter_output(model, c, row, filter, feature(model, c, x, filter));
            }
            *y++ = channel_output(&channels, unit, acc);
        }
        x += c->in_n;
    }
}

const infer_kernel_t infer_svdf_s8 = {
    .words = sizeof(plan_svdf_t) / 4,
    .flags = PLAN_OP_PER_TENSOR,
    .check = infer_check_svdf,
    .overlap = infer_overlap_never,
    .run = svdf_s8_run,
};
