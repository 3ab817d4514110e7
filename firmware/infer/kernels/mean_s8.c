/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MEAN of int8.
 */
#include "infer/kernels/mean.h"

static void mean_s8_run(const infer_t *model, const plan_op_t *op)
{
    mean(model, (const plan_mean_t *)op, load_s8, store_s8, INT8_MIN, INT8_MAX);
}

const infer_kernel_t infer_mean_s8 = {
    .words = sizeof(plan_mean_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_mean,
    .overlap = infer_overlap_elementwise,
    .run = mean_s8_run,
};
