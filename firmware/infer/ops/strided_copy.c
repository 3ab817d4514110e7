/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of STRIDED_COPY records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

/* Are the smallest and the largest index of x that is read inside? No sum leaves 64 bits: `dims`
 * are below 2^31, and the search ends with the first dimension that leads outside. */
static int inside(const plan_strided_copy_t *c)
{
    int64_t lowest = c->start;
    int64_t highest = c->start;
    for (uint32_t i = 0; i < 5; i++) {
        int64_t reach = (int64_t)(c->dims[i] - 1) * c->strides[i];
        lowest += reach < 0 ? reach : 0;
        highest += reach > 0 ? reach : 0;
        if (lowest < 0 || highest >= c->count) {
            return 0;
        }
    }
    return 1;
}

infer_status_t infer_check_strided_copy(const plan_header_t *plan, const plan_op_t *op,
                                        infer_uses_t *uses)
{
    const plan_strided_copy_t *c = (const plan_strided_copy_t *)op;
    uint32_t y_bytes = 1;
    (void)plan;
    for (uint32_t i = 0; i < 5; i++) {
        if (c->dims[i] == 0) {
            return INFER_E_SHAPE;
        }
        y_bytes = size_mul(y_bytes, c->dims[i]);
    }
    if (y_bytes > INT32_MAX || !inside(c)) {
        return INFER_E_SHAPE;
    }
    infer_use(uses, c->x, c->count, c->y, y_bytes);
    return INFER_OK;
}

/* In place where element p of y comes from element p of x or a later one, for then what is written
 * has been read: where each stride is at least what a dense copy would have. */
int32_t infer_overlap_strided_copy(const plan_op_t *op)
{
    const plan_strided_copy_t *c = (const plan_strided_copy_t *)op;
    uint32_t step = 1;
    for (uint32_t i = 5; i-- > 0;) {
        if (c->dims[i] != 1 && (c->strides[i] < 0 || (uint32_t)c->strides[i] < step)) {
            return INFER_OVERLAP_NEVER;
        }
        step = size_mul(step, c->dims[i]);
    }
    return 0;
}
