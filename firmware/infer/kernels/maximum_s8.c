/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MAXIMUM of int8, with broadcasting.
 * Semantics: TFLM micro/kernels/maximum_minimum.cc.
 */
#include "infer/kernels/binary.h"

static void maximum_s8_run(const infer_t *model, const plan_op_t *op)
{
    binary_run(model, op, binary_maximum, sizeof(int8_t));
}

const infer_kernel_t infer_maximum_s8 = {
    .words = sizeof(plan_binary_t) / 4,
    .flags = BINARY_FLAGS,
    .check = infer_check_binary,
    .overlap = infer_overlap_binary,
    .run = maximum_s8_run,
};
