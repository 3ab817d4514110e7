/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * REQUANTIZE: from one integer type, scale and zero point to another.
 * Semantics: TFLM kernels/internal/reference/requantize.h.
 */
#include "infer/kernel.h"
#include "infer/kernels/elements.h"
#include "infer/ops/ops.h"

static void requantize_run(const infer_t *model, const plan_op_t *op)
{
    const plan_requantize_t *c = (const plan_requantize_t *)op;
    const void *x = infer_tensor(model, c->x);
    void *y = infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->count; i++) {
        int32_t value = wrapping_sub(element_load(x, i, c->x_type), c->x_zero_point);
        value = requantize(value, c->rescale.multiplier, c->rescale.shift);
        element_store(y, i, c->y_type, wrapping_add(value, c->y_zero_point));
    }
}

const infer_kernel_t infer_requantize = {
    .words = sizeof(plan_requantize_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_requantize,
    .overlap = infer_overlap_requantize,
    .run = requantize_run,
};
