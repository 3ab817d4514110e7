/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of SVDF records. Sums wrap, so that any codes of the data section will do.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

static int zero_points_ok(const plan_svdf_t *c)
{
    int state_ok = c->state_size == 2 || infer_code_ok(c->state_zero_point);
    return infer_code_ok(c->x_zero_point) && infer_code_ok(c->y_zero_point) && state_ok;
}

infer_status_t infer_check_svdf(const plan_header_t *plan, const plan_op_t *op, infer_uses_t *uses)
{
    const plan_svdf_t *c = (const plan_svdf_t *)op;
    if ((c->state_size != 1 && c->state_size != 2) || c->reserved != 0) {
        return INFER_E_RECORD;
    }
    if (c->batches == 0 || c->in_n == 0 || c->units == 0 || c->rank == 0 || c->memory == 0) {
        return INFER_E_SHAPE;
    }
    uint32_t filters = size_mul(c->units, c->rank);
    uint32_t memories = size_mul(filters, c->memory);
    infer_use(uses, c->x, size_mul(c->batches, c->in_n), c->y, size_mul(c->batches, c->units));
    uses->states = 1;
    infer_use_at(uses, 2, c->state, size_mul(c->batches, memories), c->state_size);
    if (!zero_points_ok(c) || !infer_rescale_ok(c->state_rescale)) {
        return INFER_E_RANGE;
    }
    if (!infer_data_ok(plan, c->weights, size_mul(filters, c->in_n)) ||
        !infer_data_ok(plan, c->constant, size_mul(memories, c->state_size))) {
        return INFER_E_DATA;
    }
    return infer_check_channels(plan, op, c->channels, c->units);
}
