/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of SOFTMAX records.
 */
#include "infer/ops/ops.h"
#include "infer/ops/sizes.h"

/* Each term of the sum is at most 2^19 (1.0 with 12 integer bits); the sum must stay below 2^31. */
#define MAX_DEPTH 4095u

infer_status_t infer_check_softmax(const plan_header_t *plan, const plan_op_t *op,
                                   infer_uses_t *uses)
{
    const plan_softmax_t *c = (const plan_softmax_t *)op;
    (void)plan;
    if (c->rows == 0 || c->depth == 0 || c->depth > MAX_DEPTH) {
        return INFER_E_SHAPE;
    }
    uint32_t bytes = size_mul(c->rows, c->depth);
    infer_use(uses, c->x, bytes, c->y, bytes);
    /* diff_min <= 0: the largest element always counts, so that the sum is at least 2^19. */
    if (!infer_multiplier_ok(c->rescale.multiplier) || c->rescale.shift < 0 ||
        c->rescale.shift > 31 || c->diff_min > 0) {
        return INFER_E_RANGE;
    }
    return INFER_OK;
}
