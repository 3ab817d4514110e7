/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of CONCATENATION records.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

static int is_constant(const plan_concatenation_t *c, uint32_t operand)
{
    return (c->constants >> operand & 1u) != 0;
}

static uint32_t count_tensors(const plan_concatenation_t *c)
{
    uint32_t tensors = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        tensors += is_constant(c, i) ? 0u : 1u;
    }
    return tensors;
}

/* What is not used is 0. */
static int record_ok(const plan_concatenation_t *c)
{
    if (c->n == 0 || c->n > INFER_MAX_INPUTS || c->constants >> c->n != 0 || c->reserved != 0) {
        return 0;
    }
    uint32_t tensors = count_tensors(c);
    for (uint32_t i = tensors; i < INFER_MAX_INPUTS; i++) {
        if (c->x[i] != 0) {
            return 0;
        }
    }
    for (uint32_t i = c->n; i < INFER_MAX_INPUTS; i++) {
        if (c->inner[i] != 0) {
            return 0;
        }
    }
    return tensors != 0 && (c->constants != 0 || c->constant == 0);
}

/* Bytes of a row of y; 0 where an operand has none. */
static uint32_t row_bytes(const plan_concatenation_t *c)
{
    uint32_t row = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->inner[i] == 0) {
            return 0;
        }
        row = size_add(row, c->inner[i]);
    }
    return row;
}

infer_status_t infer_check_concatenation(const plan_header_t *plan, const plan_op_t *op,
                                         infer_uses_t *uses)
{
    const plan_concatenation_t *c = (const plan_concatenation_t *)op;
    if (!record_ok(c)) {
        return INFER_E_RECORD;
    }
    uint32_t row = row_bytes(c);
    if (c->outer == 0 || row == 0) {
        return INFER_E_SHAPE;
    }
    uint32_t constant_bytes = 0;
    uint32_t tensors = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t bytes = size_mul(c->outer, c->inner[i]);
        if (is_constant(c, i)) {
            constant_bytes = size_add(constant_bytes, bytes);
        } else {
            infer_use_at(uses, tensors, c->x[tensors], bytes, 1);
            tensors++;
        }
    }
    uses->inputs = (uint8_t)tensors;
    uses->outputs = 1;
    infer_use_at(uses, tensors, c->y, size_mul(c->outer, row), 1);
    return infer_data_ok(plan, c->constant, constant_bytes) ? INFER_OK : INFER_E_DATA;
}

/* Row r of y is made of row r of each operand, in order: with the first operand alone in x's
 * bytes, row r of it must have been read when the rows of y before it and its own beginning are
 * written. That is linear in r. */
int32_t infer_overlap_concatenation(const plan_op_t *op)
{
    const plan_concatenation_t *c = (const plan_concatenation_t *)op;
    if (!record_ok(c) || is_constant(c, 0)) {
        return INFER_OVERLAP_NEVER;
    }
    for (uint32_t i = 1; i < count_tensors(c); i++) {
        if (c->x[i] == c->x[0]) {
            return INFER_OVERLAP_NEVER;
        }
    }
    uint32_t row = row_bytes(c);
    if (c->outer == 0 || row < c->inner[0]) {
        return INFER_OVERLAP_NEVER;
    }
    uint32_t distance = size_mul(c->outer - 1, row - c->inner[0]);
    return distance < INFER_OVERLAP_NEVER ? (int32_t)distance : INFER_OVERLAP_NEVER;
}
