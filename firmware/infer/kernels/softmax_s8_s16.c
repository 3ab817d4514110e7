/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * SOFTMAX from int8 to int16.
 */
#include "infer/kernels/softmax.h"
#include "infer/ops/ops.h"

static void softmax_s8_s16_run(const infer_t *model, const plan_op_t *op)
{
    const plan_softmax_t *c = (const plan_softmax_t *)op;
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int16_t *y = (int16_t *)infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->rows; i++) {
        softmax_row_t row = softmax_row(c, x);
        for (uint32_t j = 0; j < c->depth; j++) {
            int32_t code = softmax_share(c, &row, *x++, 16) + INT16_MIN;
            *y++ = (int16_t)clamp(code, INT16_MIN, INT16_MAX);
        }
    }
}

const infer_kernel_t infer_softmax_s8_s16 = {
    .words = sizeof(plan_softmax_t) / 4,
    .flags = 0,
    .check = infer_check_softmax,
    .overlap = infer_overlap_never,
    .run = softmax_s8_s16_run,
};
