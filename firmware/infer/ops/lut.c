/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of LUT records.
 */
#include "infer/ops/ops.h"

infer_status_t infer_check_lut(const plan_header_t *plan, const plan_op_t *op, infer_uses_t *uses)
{
    const plan_lut_t *c = (const plan_lut_t *)op;
    if (c->count == 0) {
        return INFER_E_SHAPE;
    }
    infer_use(uses, c->x, c->count, c->y, c->count);
    return infer_data_ok(plan, c->constant, 256) ? INFER_OK : INFER_E_DATA;
}
