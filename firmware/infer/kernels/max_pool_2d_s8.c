/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MAX_POOL_2D: the largest of the taps inside.
 */
#include "infer/kernels/pool_2d.h"
#include "infer/ops/ops.h"

static inline int32_t largest(const pool_patch_t *patch, uint32_t channel)
{
    const int8_t *x_row = patch->x + channel;
    int32_t max = INT8_MIN;
    for (uint32_t row = 0; row < patch->rows; row++) {
        const int8_t *x = x_row;
        for (uint32_t column = 0; column < patch->columns; column++) {
            max = *x > max ? *x : max;
            x += patch->x_column;
        }
        x_row += patch->x_row;
    }
    return max;
}

static void max_pool_2d_s8_run(const infer_t *model, const plan_op_t *op)
{
    pool_2d(model, (const plan_pool_2d_t *)op, largest);
}

const infer_kernel_t infer_max_pool_2d_s8 = {
    .words = sizeof(plan_pool_2d_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_pool_2d,
    .overlap = infer_overlap_pool_2d,
    .run = max_pool_2d_s8_run,
};
