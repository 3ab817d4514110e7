/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Operators of two operands, element by element with broadcasting by strides: what they do with one
 * pair of codes, and the loops around it.
 */
#ifndef INFER_KERNELS_BINARY_H
#define INFER_KERNELS_BINARY_H

#include "infer/kernel.h"
#include "infer/kernels/inline.h"
#include "infer/kernels/requantize.h"
#include "infer/ops/ops.h"

#define BINARY_FLAGS (PLAN_OP_OVERLAP | PLAN_OP_CONST_A | PLAN_OP_CONST_B)

/* The output's code of the codes a and b; it fits the output's type. */
typedef int32_t binary_t(const plan_binary_t *c, int32_t a, int32_t b);

/* First code of an operand; `is_constant` is its flag. */
static inline const uint8_t *binary_operand(const infer_t *model, const plan_binary_t *c,
                                            uint16_t tensor, uint32_t is_constant)
{
    if ((c->op.flags & is_constant) != 0) {
        return (const uint8_t *)infer_data(model->plan, c->constant);
    }
    return (const uint8_t *)infer_tensor(model, tensor);
}

/* A code of `size` bytes, 1 or 2. */
INFER_TEMPLATE int32_t binary_load(const uint8_t *at, uint32_t size)
{
    return size == 1 ? *(const int8_t *)at : *(const int16_t *)(const void *)at;
}

INFER_TEMPLATE void binary_store(uint8_t *at, uint32_t size, int32_t code)
{
    if (size == 1) {
        *at = (uint8_t)code;
    } else {
        *(int16_t *)(void *)at = (int16_t)code;
    }
}

/* Runs along the two inner dimensions; returns where the output goes on. */
INFER_TEMPLATE uint8_t *binary_plane(const plan_binary_t *c, const uint8_t *a_row,
                                     const uint8_t *b_row, uint8_t *y, binary_t *function,
                                     uint32_t size)
{
    for (uint32_t i = 0; i < c->dims[2]; i++) {
        const uint8_t *a = a_row;
        const uint8_t *b = b_row;
        for (uint32_t j = 0; j < c->dims[3]; j++) {
            binary_store(y, size, function(c, binary_load(a, size), binary_load(b, size)));
            y += size;
            a += size * c->a_strides[3];
            b += size * c->b_strides[3];
        }
        a_row += size * c->a_strides[2];
        b_row += size * c->b_strides[2];
    }
    return y;
}

/* What a kernel's run() does with codes of `size` bytes. */
INFER_TEMPLATE void binary_run(const infer_t *model, const plan_op_t *op, binary_t *function,
                               uint32_t size)
{
    const plan_binary_t *c = (const plan_binary_t *)op;
    const uint8_t *a = binary_operand(model, c, c->a, PLAN_OP_CONST_A);
    const uint8_t *b = binary_operand(model, c, c->b, PLAN_OP_CONST_B);
    uint8_t *y = (uint8_t *)infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->dims[0]; i++) {
        for (uint32_t j = 0; j < c->dims[1]; j++) {
            y = binary_plane(c, a + size * (i * c->a_strides[0] + j * c->a_strides[1]),
                             b + size * (i * c->b_strides[0] + j * c->b_strides[1]), y, function,
                             size);
        }
    }
}

/* ADD and SUB: an operand's difference to its zero point, on the scale of both. */
static inline int32_t binary_rescaled(int32_t x, uint32_t left_shift, const plan_rescale_t *rescale)
{
    return requantize(wrapping_shl(x, left_shift), rescale->multiplier, rescale->shift);
}

/* The output's code of a result not yet on the output's scale. */
static inline int32_t binary_output(const plan_binary_t *c, int32_t result)
{
    int32_t y = requantize(result, c->y_rescale.multiplier, c->y_rescale.shift);
    return clamp(wrapping_add(y, c->y_zero_point), c->act_min, c->act_max);
}

static inline int32_t binary_add(const plan_binary_t *c, int32_t a, int32_t b)
{
    a = binary_rescaled(a - c->a_zero_point, c->left_shift, &c->a_rescale);
    b = binary_rescaled(b - c->b_zero_point, c->left_shift, &c->b_rescale);
    return binary_output(c, wrapping_add(a, b));
}

static inline int32_t binary_sub(const plan_binary_t *c, int32_t a, int32_t b)
{
    a = binary_rescaled(a - c->a_zero_point, c->left_shift, &c->a_rescale);
    b = binary_rescaled(b - c->b_zero_point, c->left_shift, &c->b_rescale);
    return binary_output(c, wrapping_sub(a, b));
}

static inline int32_t binary_mul(const plan_binary_t *c, int32_t a, int32_t b)
{
    return binary_output(c, wrapping_mul(a - c->a_zero_point, b - c->b_zero_point));
}

static inline int32_t binary_maximum(const plan_binary_t *c, int32_t a, int32_t b)
{
    (void)c;
    return a > b ? a : b;
}

static inline int32_t binary_minimum(const plan_binary_t *c, int32_t a, int32_t b)
{
    (void)c;
    return a < b ? a : b;
}

#endif
