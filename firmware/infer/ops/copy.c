/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of COPY records.
 */
#include "infer/ops/ops.h"

infer_status_t infer_check_copy(const plan_header_t *plan, const plan_op_t *op, infer_uses_t *uses)
{
    const plan_copy_t *c = (const plan_copy_t *)op;
    (void)plan;
    if (c->bytes == 0) {
        return INFER_E_SHAPE;
    }
    infer_use(uses, c->x, c->bytes, c->y, c->bytes);
    return INFER_OK;
}
