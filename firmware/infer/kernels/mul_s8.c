/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MUL of int8, with broadcasting.
 * Semantics: TFLM kernels/internal/reference/integer_ops/mul.h (MulElementwise).
 */
#include "infer/kernels/binary.h"

static void mul_s8_run(const infer_t *model, const plan_op_t *op)
{
    binary_run(model, op, binary_mul, sizeof(int8_t));
}

const infer_kernel_t infer_mul_s8 = {
    .words = sizeof(plan_binary_t) / 4,
    .flags = BINARY_FLAGS,
    .check = infer_check_binary,
    .overlap = infer_overlap_binary,
    .run = mul_s8_run,
};
