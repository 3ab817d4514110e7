/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * MINIMUM of codes, with broadcasting.
 * Semantics: TFLM micro/kernels/maximum_minimum.cc.
 */
#include "infer/kernels/binary.h"

static int8_t minimum(const plan_binary_t *c, int32_t a, int32_t b)
{
    (void)c;
    return (int8_t)(a < b ? a : b);
}

static void minimum_s8_run(const infer_t *model, const plan_op_t *op)
{
    binary_run(model, op, minimum);
}

const infer_kernel_t infer_minimum_s8 = {
    .words = sizeof(plan_binary_t) / 4,
    .flags = BINARY_FLAGS,
    .check = infer_check_binary,
    .overlap = infer_overlap_binary,
    .run = minimum_s8_run,
};
