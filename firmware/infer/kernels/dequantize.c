/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * DEQUANTIZE to float32.
 * Semantics: TFLM kernels/internal/reference/dequantize.h, which multiplies in double and rounds
 * to float: as the product of 24 by at most 17 bits is exact there, one product in float is equal.
 */
#include "infer/kernel.h"
#include "infer/kernels/elements.h"
#include "infer/ops/ops.h"

static void dequantize_run(const infer_t *model, const plan_op_t *op)
{
    const plan_dequantize_t *c = (const plan_dequantize_t *)op;
    const void *x = infer_tensor(model, c->x);
    float *y = (float *)infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->count; i++) {
        y[i] = c->scale * (float)(element_load(x, i, c->x_type) - c->x_zero_point);
    }
}

const infer_kernel_t infer_dequantize = {
    .words = sizeof(plan_dequantize_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_dequantize,
    .overlap = infer_overlap_dequantize,
    .run = dequantize_run,
};
