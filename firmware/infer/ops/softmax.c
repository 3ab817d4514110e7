/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of SOFTMAX records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

/* Of int8: each term of the sum is at most 2^19 (1.0 with 12 integer bits), of int16 2^15; the sum
 * must stay below 2^31. */
#define MAX_DEPTH_S8  4095u
#define MAX_DEPTH_S16 65535u

#define TABLES_BYTES (2u * 513u * (uint32_t)sizeof(int16_t))

static infer_status_t check_tables(const plan_header_t *plan, const plan_softmax_t *c)
{
    /* A difference of int16 codes has 17 bits, its product with 2^shift at most 32. */
    if (!infer_rescale_ok(c->rescale) || c->rescale.shift > 15 || c->diff_min != 0) {
        return INFER_E_RANGE;
    }
    return infer_data_ok(plan, c->constant, TABLES_BYTES) ? INFER_OK : INFER_E_DATA;
}

infer_status_t infer_check_softmax(const plan_header_t *plan, const plan_op_t *op,
                                   infer_uses_t *uses)
{
    const plan_softmax_t *c = (const plan_softmax_t *)op;
    uint32_t x_size = op->code == PLAN_OP_SOFTMAX_S16 ? 2 : 1;
    uint32_t y_size = op->code == PLAN_OP_SOFTMAX_S8 ? 1 : 2;
    if (c->rows == 0 || c->depth == 0 || c->depth > (x_size == 2 ? MAX_DEPTH_S16 : MAX_DEPTH_S8)) {
        return INFER_E_SHAPE;
    }
    uint32_t count = size_mul(c->rows, c->depth);
    infer_use_typed(uses, c->x, count, x_size, c->y, count, y_size);
    if (x_size == 2) {
        return check_tables(plan, c);
    }
    /* diff_min <= 0: the largest element always counts, so that the sum is at least 2^19. */
    if (!infer_multiplier_ok(c->rescale.multiplier) || c->rescale.shift < 0 ||
        c->rescale.shift > 31 || c->diff_min > 0) {
        return INFER_E_RANGE;
    }
    return c->constant == 0 ? INFER_OK : INFER_E_RECORD;
}
