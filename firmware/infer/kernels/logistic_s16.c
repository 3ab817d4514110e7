/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * LOGISTIC of 16-bit activations.
 */
#include "infer/kernel.h"
#include "infer/kernels/sigmoid.h"
#include "infer/ops/ops.h"

static void logistic_s16_run(const infer_t *model, const plan_op_t *op)
{
    const plan_logistic_t *c = (const plan_logistic_t *)op;
    const uint16_t *table = (const uint16_t *)infer_data(model->plan, c->constant);
    const int16_t *x = (const int16_t *)infer_tensor(model, c->x);
    int16_t *y = (int16_t *)infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->count; i++) {
        y[i] = sigmoid_q15(table, sigmoid_argument(x[i], c->multiplier, c->shift));
    }
}

const infer_kernel_t infer_logistic_s16 = {
    .words = sizeof(plan_logistic_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_logistic,
    .overlap = infer_overlap_elementwise,
    .run = logistic_s16_run,
};
