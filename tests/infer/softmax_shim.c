/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Functions inside the SOFTMAX kernel, made visible to the tests.
 */
#include "infer/kernels/softmax.h"

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
