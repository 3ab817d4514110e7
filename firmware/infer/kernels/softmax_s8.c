/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * SOFTMAX from int8 to int8.
 */
#include "infer/kernels/softmax.h"
#include "infer/ops/ops.h"

static void softmax_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_softmax_t *c = (const plan_softmax_t *)op;
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->rows; i++) {
        softmax_row_t row = softmax_row(c, x);
        for (uint32_t j = 0; j < c->depth; j++) {
            int32_t code = softmax_share(c, &row, *x++, 8) + INT8_MIN;
            *y++ = (int8_t)clamp(code, INT8_MIN, INT8_MAX);
        }
    }
}

const infer_kernel_t infer_softmax_s8 = {
    .words = sizeof(plan_softmax_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_softmax,
    .overlap = infer_overlap_elementwise,
    .run = softmax_s8_run,
};
