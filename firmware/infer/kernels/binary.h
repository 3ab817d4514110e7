/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Operators of two operands, element by element with broadcasting by strides: the kernel gives
 * the function of one pair of codes.
 */
#ifndef INFER_KERNELS_BINARY_H
#define INFER_KERNELS_BINARY_H

#include "infer/kernel.h"
#include "infer/kernels/inline.h"
#include "infer/kernels/requantize.h"
#include "infer/ops/ops.h"

#define BINARY_FLAGS (PLAN_OP_OVERLAP | PLAN_OP_CONST_A | PLAN_OP_CONST_B)

/* The output's code of the codes a and b. */
typedef int8_t binary_t(const plan_binary_t *c, int32_t a, int32_t b);

/* First code of an operand; `is_constant` is its flag. */
static inline const int8_t *binary_operand(const infer_t *model, const plan_binary_t *c,
                                           uint16_t tensor, uint32_t is_constant)
{
    if ((c->op.flags & is_constant) != 0) {
        return (const int8_t *)infer_data(model->plan, c->constant);
    }
    return (const int8_t *)infer_tensor(model, tensor);
}

/* Runs along the two inner dimensions; returns where the output goes on. */
INFER_TEMPLATE int8_t *binary_plane(const plan_binary_t *c, const int8_t *a_row,
                                    const int8_t *b_row, int8_t *y, binary_t *function)
{
    for (uint32_t i = 0; i < c->dims[2]; i++) {
        const int8_t *a = a_row;
        const int8_t *b = b_row;
        for (uint32_t j = 0; j < c->dims[3]; j++) {
            *y++ = function(c, *a, *b);
            a += c->a_strides[3];
            b += c->b_strides[3];
        }
        a_row += c->a_strides[2];
        b_row += c->b_strides[2];
    }
    return y;
}

/* What a kernel's run() does. */
INFER_TEMPLATE void binary_run(const infer_t *model, const plan_op_t *op, binary_t *function)
{
    const plan_binary_t *c = (const plan_binary_t *)op;
    const int8_t *a = binary_operand(model, c, c->a, PLAN_OP_CONST_A);
    const int8_t *b = binary_operand(model, c, c->b, PLAN_OP_CONST_B);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->dims[0]; i++) {
        for (uint32_t j = 0; j < c->dims[1]; j++) {
            y = binary_plane(c, a + i * c->a_strides[0] + j * c->a_strides[1],
                             b + i * c->b_strides[0] + j * c->b_strides[1], y, function);
        }
    }
}

/* ADD and SUB: an operand's difference to its zero point, on the scale of both. */
static inline int32_t binary_rescaled(int32_t x, uint32_t left_shift, const plan_rescale_t *rescale)
{
    return requantize(wrapping_shl(x, left_shift), rescale->multiplier, rescale->shift);
}

/* The output's code of a result not yet on the output's scale. */
static inline int8_t binary_output(const plan_binary_t *c, int32_t result)
{
    int32_t y = requantize(result, c->y_rescale.multiplier, c->y_rescale.shift);
    return (int8_t)clamp(wrapping_add(y, c->y_zero_point), c->act_min, c->act_max);
}

#endif
