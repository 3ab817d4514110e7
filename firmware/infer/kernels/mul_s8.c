/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MUL, with broadcasting.
 * Semantics: TFLM kernels/internal/reference/integer_ops/mul.h (MulElementwise).
 */
#include "infer/kernels/binary.h"

static int8_t mul(const plan_binary_t *c, int32_t a, int32_t b)
{
    return binary_output(c, (a - c->a_zero_point) * (b - c->b_zero_point));
}

static void mul_s8_run(const infer_t *model, const plan_op_t *op)
{
    binary_run(model, op, mul);
}

const infer_kernel_t infer_mul_s8 = {
    .words = sizeof(plan_binary_t) / 4,
    .flags = BINARY_FLAGS,
    .check = infer_check_binary,
    .overlap = infer_overlap_binary,
    .run = mul_s8_run,
};
