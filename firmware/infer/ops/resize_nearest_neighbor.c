/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of RESIZE_NEAREST_NEIGHBOR records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

static int all_below(const uint16_t *table, uint32_t n, uint32_t limit)
{
    for (uint32_t i = 0; i < n; i++) {
        if (table[i] >= limit) {
            return 0;
        }
    }
    return 1;
}

infer_status_t infer_check_resize_nearest_neighbor(const plan_header_t *plan, const plan_op_t *op,
                                                   infer_uses_t *uses)
{
    const plan_resize_nearest_neighbor_t *c = (const plan_resize_nearest_neighbor_t *)op;
    if (c->batches == 0 || c->pixel == 0 || c->in_h == 0 || c->in_w == 0 || c->out_h == 0 ||
        c->out_w == 0) {
        return INFER_E_SHAPE;
    }
    infer_use(uses, c->x, size_mul4(c->batches, c->in_h, c->in_w, c->pixel), c->y,
              size_mul4(c->batches, c->out_h, c->out_w, c->pixel));
    if (!infer_data_ok(plan, c->constant, 2u * ((uint32_t)c->out_h + c->out_w))) {
        return INFER_E_DATA;
    }
    const uint16_t *rows = (const uint16_t *)infer_data(plan, c->constant);
    return all_below(rows, c->out_h, c->in_h) && all_below(rows + c->out_h, c->out_w, c->in_w)
               ? INFER_OK
               : INFER_E_RANGE;
}
