/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * ADD, with broadcasting by strides.
 * Semantics: TFLM kernels/internal/reference/integer_ops/add.h (AddFunc).
 */
#include "infer/kernel.h"
#include "infer/kernels/requantize.h"
#include "infer/ops/ops.h"

static inline int32_t rescaled(int32_t x, uint32_t left_shift, const plan_rescale_t *rescale)
{
    return requantize(wrapping_shl(x, left_shift), rescale->multiplier, rescale->shift);
}

static int8_t add(const plan_add_t *c, int32_t a, int32_t b)
{
    int32_t sum = wrapping_add(rescaled(a - c->a_zero_point, c->left_shift, &c->a_rescale),
                               rescaled(b - c->b_zero_point, c->left_shift, &c->b_rescale));
    int32_t y = requantize(sum, c->y_rescale.multiplier, c->y_rescale.shift);
    return (int8_t)clamp(wrapping_add(y, c->y_zero_point), c->act_min, c->act_max);
}

/* Adds along the two inner dimensions; returns where the output goes on. */
static int8_t *add_plane(const plan_add_t *c, const int8_t *a_row, const int8_t *b_row, int8_t *y)
{
    for (uint32_t i = 0; i < c->dims[2]; i++) {
        const int8_t *a = a_row;
        const int8_t *b = b_row;
        for (uint32_t j = 0; j < c->dims[3]; j++) {
            *y++ = add(c, *a, *b);
            a += c->a_strides[3];
            b += c->b_strides[3];
        }
        a_row += c->a_strides[2];
        b_row += c->b_strides[2];
    }
    return y;
}

static void add_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_add_t *c = (const plan_add_t *)op;
    const int8_t *a = (const int8_t *)infer_tensor(model, c->a);
    const int8_t *b = (const int8_t *)infer_tensor(model, c->b);
    int8_t *y = (int8_t *)infer_tensor(model, c->y);
    for (uint32_t i = 0; i < c->dims[0]; i++) {
        for (uint32_t j = 0; j < c->dims[1]; j++) {
            y = add_plane(c, a + i * c->a_strides[0] + j * c->a_strides[1],
                          b + i * c->b_strides[0] + j * c->b_strides[1], y);
        }
    }
}

const infer_kernel_t infer_add_s8 = {
    .words = sizeof(plan_add_t) / 4,
    .flags = PLAN_OP_OVERLAP,
    .check = infer_check_add,
    .overlap = infer_overlap_add,
    .run = add_s8_run,
};
