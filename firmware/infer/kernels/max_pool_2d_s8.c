/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MAX_POOL_2D of int8.
 */
#include "infer/kernels/pool_2d.h"
#include "infer/ops/ops.h"

static inline int32_t largest(const void *x, const pool_patch_t *patch)
{
    return pool_largest(x, patch, load_s8);
}

static void max_pool_2d_s8_run(const infer_t *model, const plan_op_t *op)
{
    pool_2d(model, (const plan_pool_2d_t *)op, largest, store_s8);
}

const infer_kernel_t infer_max_pool_2d_s8 = {
    .words = sizeof(plan_pool_2d_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_pool_2d,
    .overlap = infer_overlap_pool_2d,
    .run = max_pool_2d_s8_run,
};
