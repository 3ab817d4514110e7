/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of LOGISTIC and TANH records of 16-bit activations.
 */
#include "infer/ops/ops.h"

infer_status_t infer_check_sigmoid(const plan_header_t *plan, uint32_t multiplier, uint32_t shift,
                                   uint32_t table)
{
    /* Of |x| <= 2^15, the product and half of 2^shift stay below 2^31 together. */
    if (shift > 31 || (shift != 0 && multiplier > INT16_MAX)) {
        return INFER_E_RANGE;
    }
    return infer_data_ok(plan, table, 256 * sizeof(uint16_t)) ? INFER_OK : INFER_E_DATA;
}

infer_status_t infer_check_logistic(const plan_header_t *plan, const plan_op_t *op,
                                    infer_uses_t *uses)
{
    const plan_logistic_t *c = (const plan_logistic_t *)op;
    if (c->count == 0) {
        return INFER_E_SHAPE;
    }
    infer_use_typed(uses, c->x, c->count, 2, c->y, c->count, 2);
    return infer_check_sigmoid(plan, c->multiplier, c->shift, c->constant);
}
