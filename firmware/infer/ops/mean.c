/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of MEAN records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

/* A sum of this many differences of codes fits in 32 bits; int16 codes have no zero point. */
#define MAX_REDUCED    (1u << 23)
#define MAX_REDUCED_16 (1u << 16)

infer_status_t infer_check_mean(const plan_header_t *plan, const plan_op_t *op, infer_uses_t *uses)
{
    const plan_mean_t *c = (const plan_mean_t *)op;
    uint32_t size = infer_layer_size(op);
    (void)plan;
    if (c->outer == 0 || c->reduced == 0 || c->inner == 0 ||
        c->reduced > (size == 2 ? MAX_REDUCED_16 : MAX_REDUCED)) {
        return INFER_E_SHAPE;
    }
    uint32_t count = size_mul(c->outer, c->inner);
    infer_use_typed(uses, c->x, size_mul(count, c->reduced), size, c->y, count, size);
    if (!infer_layer_codes_ok(op, c->x_zero_point, c->y_zero_point, 0, 0) ||
        c->rescale.multiplier < 0 || !infer_shift_ok(c->rescale.shift)) {
        return INFER_E_RANGE;
    }
    return INFER_OK;
}
