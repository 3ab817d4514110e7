/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * AVERAGE_POOL_2D: the mean of the taps inside, ties rounded away from zero.
 * Semantics: TFLM kernels/internal/reference/integer_ops/pooling.h (AveragePool).
 */
#include "infer/kernels/pool_2d.h"
#include "infer/ops/ops.h"

static inline int32_t average(const pool_patch_t *patch, uint32_t channel)
{
    const int8_t *x_row = patch->x + channel;
    int32_t count = (int32_t)(patch->rows * patch->columns);
    int32_t sum = 0;
    for (uint32_t row = 0; row < patch->rows; row++) {
        const int8_t *x = x_row;
        for (uint32_t column = 0; column < patch->columns; column++) {
            sum += *x;
            x += patch->x_column;
        }
        x_row += patch->x_row;
    }
    return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

static void average_pool_2d_s8_run(const infer_t *model, const plan_op_t *op)
{
    pool_2d(model, (const plan_pool_2d_t *)op, average);
}

const infer_kernel_t infer_average_pool_2d_s8 = {
    .words = sizeof(plan_pool_2d_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_pool_2d,
    .overlap = infer_overlap_pool_2d,
    .run = average_pool_2d_s8_run,
};
