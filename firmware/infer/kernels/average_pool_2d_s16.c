/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * AVERAGE_POOL_2D of int16.
 */
#include "infer/kernels/pool_2d.h"
#include "infer/ops/ops.h"

static inline int32_t average(const void *x, const pool_patch_t *patch)
{
    return pool_average(x, patch, load_s16);
}

static void average_pool_2d_s16_run(const infer_t *model, const plan_op_t *op)
{
    pool_2d(model, (const plan_pool_2d_t *)op, average, store_s16);
}

const infer_kernel_t infer_average_pool_2d_s16 = {
    .words = sizeof(plan_pool_2d_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_pool_2d,
    .overlap = infer_overlap_pool_2d,
    .run = average_pool_2d_s16_run,
};
