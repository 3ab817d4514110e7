/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * CONCATENATION of tensors and constants, whose elements may have any size.
 */
#include <string.h>

#include "infer/kernel.h"
#include "infer/ops/ops.h"

/* Writes row number `row` of y; returns where the next one begins. */
static uint8_t *copy_row(const infer_t *model, const plan_concatenation_t *c, uint32_t row,
                         uint8_t *y)
{
    const uint8_t *constant = (const uint8_t *)infer_data(model->plan, c->constant);
    uint32_t tensors = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        const uint8_t *operand = constant;
        if ((c->constants >> i & 1u) != 0) {
            constant += c->outer * c->inner[i];
        } else {
            operand = (const uint8_t *)infer_tensor(model, c->x[tensors++]);
        }
        memmove(y, operand + row * c->inner[i], c->inner[i]);
        y += c->inner[i];
    }
    return y;
}

static void concatenation_run(const infer_t *model, const plan_op_t *op)
{
    const plan_concatenation_t *c = (const plan_concatenation_t *)op;
    uint8_t *y = (uint8_t *)infer_tensor(model, c->y);
    for (uint32_t row = 0; row < c->outer; row++) {
        y = copy_row(model, c, row, y);
    }
}

const infer_kernel_t infer_concatenation = {
    .words = sizeof(plan_concatenation_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_concatenation,
    .overlap = infer_overlap_concatenation,
    .run = concatenation_run,
};
