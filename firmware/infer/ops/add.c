/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of ADD records.
 */
#include "infer/ops/ops.h"
#include "infer/ops/sizes.h"

/* A difference of codes (9 bits and sign) shifted left by this fits in 32 bits. */
#define MAX_LEFT_SHIFT 22

/* One more than the largest index that the strides reach. */
static uint32_t extent(const uint32_t *dims, const uint32_t *strides)
{
    uint32_t bytes = 1;
    for (uint32_t i = 0; i < 4; i++) {
        bytes = size_add(bytes, size_mul(dims[i] - 1, strides[i]));
    }
    return bytes;
}

/* Row-major without gaps; the stride of a dimension of one element does not matter. */
static int contiguous(const uint32_t *dims, const uint32_t *strides)
{
    uint32_t expected = 1;
    for (uint32_t i = 4; i-- > 0;) {
        if (dims[i] != 1 && strides[i] != expected) {
            return 0;
        }
        expected = size_mul(expected, dims[i]);
    }
    return 1;
}

infer_status_t infer_check_add(const plan_header_t *plan, const plan_op_t *op, infer_uses_t *uses)
{
    const plan_add_t *c = (const plan_add_t *)op;
    (void)plan;
    if (c->reserved != 0) {
        return INFER_E_RECORD;
    }
    if (c->dims[0] == 0 || c->dims[1] == 0 || c->dims[2] == 0 || c->dims[3] == 0) {
        return INFER_E_SHAPE;
    }
    *uses = (infer_uses_t){
        .inputs = 2,
        .tensor = {c->a, c->b, c->y},
        .bytes = {extent(c->dims, c->a_strides), extent(c->dims, c->b_strides),
                  size_mul4(c->dims[0], c->dims[1], c->dims[2], c->dims[3])},
    };
    if (!infer_code_ok(c->a_zero_point) || !infer_code_ok(c->b_zero_point) ||
        !infer_code_ok(c->y_zero_point) || !infer_activation_ok(c->act_min, c->act_max) ||
        c->left_shift > MAX_LEFT_SHIFT || !infer_rescale_ok(c->a_rescale) ||
        !infer_rescale_ok(c->b_rescale) || !infer_rescale_ok(c->y_rescale)) {
        return INFER_E_RANGE;
    }
    return INFER_OK;
}

/* In place only where element i of y is made of element i of a, and b is not a in disguise. */
int32_t infer_overlap_add(const plan_op_t *op)
{
    const plan_add_t *c = (const plan_add_t *)op;
    int a_in_order = contiguous(c->dims, c->a_strides);
    int b_harmless = c->b != c->a || contiguous(c->dims, c->b_strides);
    return a_in_order && b_harmless ? 0 : INFER_OVERLAP_NEVER;
}
