/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * ASSIGN: bytes of a tensor become those of a state, which keeps them for the next inference.
 */
#include <string.h>

#include "infer/kernel.h"
#include "infer/ops/ops.h"

static void assign_run(const infer_t *model, const plan_op_t *op)
{
    const plan_assign_t *c = (const plan_assign_t *)op;
    const uint8_t *x = (const uint8_t *)infer_tensor(model, c->x);
    memmove(infer_tensor(model, c->state), x + c->start, c->bytes);
}

const infer_kernel_t infer_assign = {
    .words = sizeof(plan_assign_t) / 4,
    .check = infer_check_assign,
    .overlap = infer_overlap_never,
    .run = assign_run,
};
