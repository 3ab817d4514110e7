/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * ADD of int8, with broadcasting.
 * Semantics: TFLM kernels/internal/reference/integer_ops/add.h (AddFunc).
 */
#include "infer/kernels/binary.h"

static void add_s8_run(const infer_t *model, const plan_op_t *op)
{
    binary_run(model, op, binary_add, sizeof(int8_t));
}

const infer_kernel_t infer_add_s8 = {
    .words = sizeof(plan_binary_t) / 4,
    .flags = BINARY_FLAGS,
    .check = infer_check_binary,
    .overlap = infer_overlap_binary,
    .run = add_s8_run,
};
