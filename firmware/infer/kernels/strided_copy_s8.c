/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * STRIDED_COPY: SLICE, STRIDED_SLICE, TRANSPOSE and the like, which only move codes.
 */
#include <string.h>

#include "infer/kernel.h"
#include "infer/ops/ops.h"

/* Copies the innermost dimension from index `at` of x on; y may lie on what is read. */
static void copy_row(const plan_strided_copy_t *c, const int8_t *x, uint32_t at, int8_t *y)
{
    if (c->strides[4] == 1) {
        memmove(y, x + at, c->dims[4]);
        return;
    }
    for (uint32_t i = 0; i < c->dims[4]; i++) {
        y[i] = x[at];
        at += (uint32_t)c->strides[4];
    }
}

/* Counts index[0..3] one up in row-major order and moves `at` along, modulo 2^32 as negative
 * strides need it; 0 after the last. */
static int advance(const plan_strided_copy_t *c, uint32_t *index, uint32_t *at)
{
    for (uint32_t i = 4; i-- > 0;) {
        if (++index[i] < c->dims[i]) {
            *at += (uint32_t)c->strides[i];
            return 1;
        }
        *at -= (c->dims[i] - 1) * (uint32_t)c->strides[i];
        index[i] = 0;
    }
    return 0;
}

static void strided_copy_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_strided_copy_t *c = (const plan_strided_copy_t *)op;
    const int8_t *x = (const int8_t *)infer_tensor(model, c->x);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    uint32_t index[4] = {0, 0, 0, 0};
    uint32_t at = c->start;
    do {
        copy_row(c, x, at, y);
        y += c->dims[4];
    } while (advance(c, index, &at));
}

const infer_kernel_t infer_strided_copy_s8 = {
    .words = sizeof(plan_strided_copy_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_strided_copy,
    .overlap = infer_overlap_strided_copy,
    .run = strided_copy_s8_run,
};
