/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of ASSIGN records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

infer_status_t infer_check_assign(const plan_header_t *plan, const plan_op_t *op,
                                  infer_uses_t *uses)
{
    const plan_assign_t *c = (const plan_assign_t *)op;
    (void)plan;
    if (c->bytes == 0 || size_add(c->start, c->bytes) > c->x_bytes) {
        return INFER_E_SHAPE;
    }
    uses->inputs = 1;
    infer_use_at(uses, 0, c->x, c->x_bytes, 1);
    uses->states = 1;
    infer_use_at(uses, 1, c->state, c->bytes, 1);
    return INFER_OK;
}
