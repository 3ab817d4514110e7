/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The kernels that the simulated firmware has.
 */
#include "infer/kernel.h"

const infer_kernel_t *const infer_kernels[PLAN_OP_COUNT] = {
    [PLAN_OP_COPY] = &infer_copy,
};
