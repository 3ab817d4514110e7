/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * COPY: RESHAPE and the like where the bytes have to move, nothing where they are in place.
 */
#include <string.h>

#include "infer/kernel.h"
#include "infer/ops/ops.h"

static void copy_run(const infer_t *model, const plan_op_t *op)
{
    const plan_copy_t *c = (const plan_copy_t *)op;
    const void *x = infer_tensor(model, c->x);
    void *y = infer_tensor(model, c->y);
    if (x != y) {
        memmove(y, x, c->bytes);
    }
}

const infer_kernel_t infer_copy = {
    .words = sizeof(plan_copy_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_copy,
    .overlap = infer_overlap_elementwise,
    .run = copy_run,
};
