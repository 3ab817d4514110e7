/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Functions inside the SOFTMAX kernel, made visible to the tests.
 */
#include "infer/kernels/softmax_s8.c"

int32_t shim_exp(int32_t a);
int32_t shim_reciprocal(int32_t x);

int32_t shim_exp(int32_t a)
{
    return exp_of_negative(a);
}

int32_t shim_reciprocal(int32_t x)
{
    return reciprocal_of_one_plus(x);
}

/* The table at the end of the kernel names them; nothing here calls them. */
infer_status_t infer_check_softmax(const plan_header_t *plan, const plan_op_t *op,
                                   infer_uses_t *uses)
{
    (void)plan;
    (void)op;
    (void)uses;
    return INFER_OK;
}

int32_t infer_overlap_elementwise(const plan_op_t *op)
{
    (void)op;
    return 0;
}
