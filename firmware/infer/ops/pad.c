/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of PAD records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

infer_status_t infer_check_pad(const plan_header_t *plan, const plan_op_t *op, infer_uses_t *uses)
{
    const plan_pad_t *c = (const plan_pad_t *)op;
    uint32_t x_bytes = 1;
    uint32_t y_bytes = 1;
    (void)plan;
    for (uint32_t i = 0; i < 5; i++) {
        if (c->dims[i] == 0) {
            return INFER_E_SHAPE;
        }
        uint32_t padded = size_add(c->dims[i], (uint32_t)c->before[i] + c->after[i]);
        x_bytes = size_mul(x_bytes, c->dims[i]);
        y_bytes = size_mul(y_bytes, padded);
    }
    infer_use(uses, c->x, x_bytes, c->y, y_bytes);
    return INFER_OK;
}
