/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MEAN of int16.
 */
#include "infer/kernels/mean.h"

static void mean_s16_run(const infer_t *model, const plan_op_t *op)
{
    mean(model, (const plan_mean_t *)op, load_s16, store_s16, INT16_MIN, INT16_MAX);
}

const infer_kernel_t infer_mean_s16 = {
    .words = sizeof(plan_mean_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_mean,
    .overlap = infer_overlap_elementwise,
    .run = mean_s16_run,
};
