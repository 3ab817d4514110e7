/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of LEAKY_RELU records.
 */
#include "infer/ops/ops.h"

static int sign_ok(int32_t sign)
{
    return sign == 1 || sign == -1;
}

infer_status_t infer_check_leaky_relu(const plan_header_t *plan, const plan_op_t *op,
                                      infer_uses_t *uses)
{
    const plan_leaky_relu_t *c = (const plan_leaky_relu_t *)op;
    (void)plan;
    if (c->count == 0) {
        return INFER_E_SHAPE;
    }
    if (c->reserved != 0) {
        return INFER_E_RECORD;
    }
    infer_use_typed(uses, c->x, c->count, 2, c->y, c->count, 2);
    if (c->act_min > c->act_max || !sign_ok(c->sign_before) || !sign_ok(c->sign_after) ||
        !infer_rescale_ok(c->above) || !infer_rescale_ok(c->below)) {
        return INFER_E_RANGE;
    }
    return INFER_OK;
}
