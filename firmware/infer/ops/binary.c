/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of the records of ADD, SUB, MUL, PRELU, MAXIMUM and MINIMUM.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

/* A difference of codes (9 or 17 bits with its sign) shifted left by these fits in 32 bits. */
#define MAX_LEFT_SHIFT_S8  22
#define MAX_LEFT_SHIFT_S16 15

/* Bytes of a code. */
static uint32_t code_size(const plan_op_t *op)
{
    return op->code >= PLAN_OP_ADD_S16 ? 2 : 1;
}

/* One more than the largest index that the strides reach. */
static uint32_t extent(const uint32_t *dims, const uint32_t *strides)
{
    uint32_t codes = 1;
    for (uint32_t i = 0; i < 4; i++) {
        codes = size_add(codes, size_mul(dims[i] - 1, strides[i]));
    }
    return codes;
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

/* Which operand is a constant: PLAN_OP_CONST_A, PLAN_OP_CONST_B or 0; both together if broken. */
static uint32_t constants(const plan_op_t *op)
{
    return op->flags & (uint32_t)(PLAN_OP_CONST_A | PLAN_OP_CONST_B);
}

/* What is not used is 0. */
static int record_ok(const plan_binary_t *c)
{
    switch (constants(&c->op)) {
    case 0:
        return c->reserved == 0 && c->constant == 0;
    case PLAN_OP_CONST_A:
        return c->reserved == 0 && c->a == 0;
    case PLAN_OP_CONST_B:
        return c->reserved == 0 && c->b == 0;
    default:
        return 0;
    }
}

static void find_uses(const plan_binary_t *c, infer_uses_t *uses)
{
    uint32_t size = code_size(&c->op);
    uint32_t a_count = extent(c->dims, c->a_strides);
    uint32_t b_count = extent(c->dims, c->b_strides);
    uint32_t y_count = size_mul4(c->dims[0], c->dims[1], c->dims[2], c->dims[3]);
    if (constants(&c->op) == 0) {
        uses->inputs = 2;
        uses->outputs = 1;
        infer_use_at(uses, 0, c->a, a_count, size);
        infer_use_at(uses, 1, c->b, b_count, size);
        infer_use_at(uses, 2, c->y, y_count, size);
    } else if (constants(&c->op) == PLAN_OP_CONST_A) {
        infer_use_typed(uses, c->b, b_count, size, c->y, y_count, size);
    } else {
        infer_use_typed(uses, c->a, a_count, size, c->y, y_count, size);
    }
}

static int constant_ok(const plan_header_t *plan, const plan_binary_t *c)
{
    int is_a = constants(&c->op) == PLAN_OP_CONST_A;
    uint32_t count = extent(c->dims, is_a ? c->a_strides : c->b_strides);
    return constants(&c->op) == 0 ||
           infer_data_ok(plan, c->constant, size_mul(count, code_size(&c->op)));
}

/* Zero points and bounds of int16 codes are in range as they are. */
static int codes_ok(const plan_binary_t *c)
{
    if (code_size(&c->op) == 2) {
        return c->act_min <= c->act_max && c->left_shift <= MAX_LEFT_SHIFT_S16;
    }
    return infer_code_ok(c->a_zero_point) && infer_code_ok(c->b_zero_point) &&
           infer_code_ok(c->y_zero_point) && infer_activation_ok(c->act_min, c->act_max) &&
           c->left_shift <= MAX_LEFT_SHIFT_S8;
}

infer_status_t infer_check_binary(const plan_header_t *plan, const plan_op_t *op,
                                  infer_uses_t *uses)
{
    const plan_binary_t *c = (const plan_binary_t *)op;
    if (!record_ok(c)) {
        return INFER_E_RECORD;
    }
    if (c->dims[0] == 0 || c->dims[1] == 0 || c->dims[2] == 0 || c->dims[3] == 0) {
        return INFER_E_SHAPE;
    }
    find_uses(c, uses);
    if (!constant_ok(plan, c)) {
        return INFER_E_DATA;
    }
    if (!codes_ok(c) || !infer_rescale_ok(c->a_rescale) || !infer_rescale_ok(c->b_rescale) ||
        !infer_rescale_ok(c->y_rescale)) {
        return INFER_E_RANGE;
    }
    return INFER_OK;
}

/* In place only where element i of y is made of element i of the first input, and the second one,
 * if there is one, is not the first in disguise. */
int32_t infer_overlap_binary(const plan_op_t *op)
{
    const plan_binary_t *c = (const plan_binary_t *)op;
    int a_in_order = contiguous(c->dims, c->a_strides);
    int b_in_order = contiguous(c->dims, c->b_strides);
    if (constants(op) != 0) {
        a_in_order = constants(op) == PLAN_OP_CONST_A ? b_in_order : a_in_order;
        return a_in_order ? 0 : INFER_OVERLAP_NEVER;
    }
    return a_in_order && (c->b != c->a || b_in_order) ? 0 : INFER_OVERLAP_NEVER;
}
