/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * FULLY_CONNECTED with packed int4 weights.
 */
#include "infer/kernels/fully_connected.h"
#include "infer/ops/ops.h"

static void fully_connected_s4_run(const infer_t *model, const plan_op_t *op)
{
    const plan_fully_connected_t *c = (const plan_fully_connected_t *)op;
    fully_connected(model, c, c->in_n / 2 + c->in_n % 2, dot_s4);
}

const infer_kernel_t infer_fully_connected_s4 = {
    .words = sizeof(plan_fully_connected_t) / 4,
    .flags = PLAN_OP_OVERLAP | PLAN_OP_PER_TENSOR,
    .check = infer_check_fully_connected,
    .overlap = infer_overlap_fully_connected,
    .run = fully_connected_s4_run,
};
