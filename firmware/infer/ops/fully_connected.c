/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of FULLY_CONNECTED records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

infer_status_t infer_check_fully_connected(const plan_header_t *plan, const plan_op_t *op,
                                           infer_uses_t *uses)
{
    const plan_fully_connected_t *c = (const plan_fully_connected_t *)op;
    if (c->reserved != 0) {
        return INFER_E_RECORD;
    }
    if (c->batches == 0 || c->in_n == 0 || c->out_n == 0) {
        return INFER_E_SHAPE;
    }
    uint32_t size = infer_layer_size(op);
    infer_use_typed(uses, c->x, size_mul(c->batches, c->in_n), size, c->y,
                    size_mul(c->batches, c->out_n), size);
    if (!infer_layer_codes_ok(op, c->x_zero_point, c->y_zero_point, c->act_min, c->act_max) ||
        !infer_layer_codes_ok(op, c->w_zero_point, 0, 0, 0)) {
        return INFER_E_RANGE;
    }
    if (!infer_data_ok(plan, c->weights, infer_weight_bytes(op, c->out_n, c->in_n))) {
        return INFER_E_DATA;
    }
    return infer_check_channels(plan, op, c->channels, c->out_n);
}

int32_t infer_overlap_fully_connected(const plan_op_t *op)
{
    const plan_fully_connected_t *c = (const plan_fully_connected_t *)op;
    return infer_rows_overlap(c->batches, c->in_n, c->out_n, infer_layer_size(op));
}
