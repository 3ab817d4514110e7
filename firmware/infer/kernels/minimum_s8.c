/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MINIMUM of int8, with broadcasting.
 * Semantics: TFLM micro/kernels/maximum_minimum.cc.
 */
#include "infer/kernels/binary.h"

static void minimum_s8_run(const infer_t *model, const plan_op_t *op)
{
    binary_run(model, op, binary_minimum, sizeof(int8_t));
}

const infer_kernel_t infer_minimum_s8 = {
    .words = sizeof(plan_binary_t) / 4,
    .flags = BINARY_FLAGS,
    .check = infer_check_binary,
    .overlap = infer_overlap_binary,
    .run = minimum_s8_run,
};
