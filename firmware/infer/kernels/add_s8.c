/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * ADD, with broadcasting.
 * Semantics: TFLM kernels/internal/reference/integer_ops/add.h (AddFunc).
 */
#include "infer/kernels/binary.h"

static int8_t add(const plan_binary_t *c, int32_t a, int32_t b)
{
    a = binary_rescaled(a - c->a_zero_point, c->left_shift, &c->a_rescale);
    b = binary_rescaled(b - c->b_zero_point, c->left_shift, &c->b_rescale);
    return binary_output(c, wrapping_add(a, b));
}

static void add_s8_run(const infer_t *model, const plan_op_t *op)
{
    binary_run(model, op, add);
}

const infer_kernel_t infer_add_s8 = {
    .words = sizeof(plan_binary_t) / 4,
    .flags = BINARY_FLAGS,
    .check = infer_check_binary,
    .overlap = infer_overlap_binary,
    .run = add_s8_run,
};
