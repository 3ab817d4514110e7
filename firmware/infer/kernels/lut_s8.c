/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * LUT: a function of one code, looked up. LOGISTIC, TANH, QUANTIZE and others become this; the
 * compiler computes their 256 codes.
 */
#include "infer/kernel.h"
#include "infer/ops/ops.h"

static void lut_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_lut_t *c = (const plan_lut_t *)op;
    const int8_t *table = (const int8_t *)infer_data(model->plan, c->constant);
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->count; i++) {
        y[i] = table[x[i] - INT8_MIN];
    }
}

const infer_kernel_t infer_lut_s8 = {
    .words = sizeof(plan_lut_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_lut,
    .overlap = infer_overlap_elementwise,
    .run = lut_s8_run,
};
