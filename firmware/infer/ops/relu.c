/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of RELU records.
 */
#include "infer/ops/ops.h"

infer_status_t infer_check_relu(const plan_header_t *plan, const plan_op_t *op, infer_uses_t *uses)
{
    const plan_relu_t *c = (const plan_relu_t *)op;
    (void)plan;
    if (c->count == 0) {
        return INFER_E_SHAPE;
    }
    infer_use(uses, c->x, c->count, c->y, c->count);
    if (!infer_code_ok(c->x_zero_point) || !infer_code_ok(c->y_zero_point) ||
        !infer_activation_ok(c->act_min, c->act_max) || !infer_rescale_ok(c->rescale)) {
        return INFER_E_RANGE;
    }
    return INFER_OK;
}
