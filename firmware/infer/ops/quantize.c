/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Proof of the records of QUANTIZE, DEQUANTIZE and REQUANTIZE, and how their outputs may overlap.
 */
#include <string.h>

#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

/* A finite number above 0, decided without floating-point instructions. */
static int scale_ok(float scale)
{
    uint32_t bits;
    memcpy(&bits, &scale, sizeof bits);
    return bits != 0 && bits < 0x7F800000u;
}

/* Element-wise, each read before it is written. Elements of different types may only share bytes
 * where one of them is a byte, because of C's aliasing rules. */
static int32_t overlap(uint32_t count, uint32_t x_type, uint32_t y_type)
{
    uint32_t x_size = infer_type_bytes(x_type);
    uint32_t y_size = infer_type_bytes(y_type);
    if (x_type != y_type && x_size != 1 && y_size != 1) {
        return INFER_OVERLAP_NEVER;
    }
    if (count == 0 || y_size <= x_size) {
        return 0;
    }
    uint32_t distance = size_mul(count - 1, y_size - x_size);
    return distance < INFER_OVERLAP_NEVER ? (int32_t)distance : INFER_OVERLAP_NEVER;
}

infer_status_t infer_check_quantize(const plan_header_t *plan, const plan_op_t *op,
                                    infer_uses_t *uses)
{
    const plan_quantize_t *c = (const plan_quantize_t *)op;
    (void)plan;
    if (c->count == 0) {
        return INFER_E_SHAPE;
    }
    if (c->y_type != PLAN_TYPE_INT8 && c->y_type != PLAN_TYPE_INT16) {
        return INFER_E_RECORD;
    }
    infer_use_typed(uses, c->x, c->count, 4, c->y, c->count, infer_type_bytes(c->y_type));
    return scale_ok(c->scale) ? INFER_OK : INFER_E_RANGE;
}

int32_t infer_overlap_quantize(const plan_op_t *op)
{
    const plan_quantize_t *c = (const plan_quantize_t *)op;
    return overlap(c->count, PLAN_TYPE_FLOAT32, c->y_type);
}

infer_status_t infer_check_dequantize(const plan_header_t *plan, const plan_op_t *op,
                                      infer_uses_t *uses)
{
    const plan_dequantize_t *c = (const plan_dequantize_t *)op;
    (void)plan;
    if (c->count == 0) {
        return INFER_E_SHAPE;
    }
    if (c->x_type != PLAN_TYPE_INT8 && c->x_type != PLAN_TYPE_UINT8 &&
        c->x_type != PLAN_TYPE_INT16) {
        return INFER_E_RECORD;
    }
    infer_use_typed(uses, c->x, c->count, infer_type_bytes(c->x_type), c->y, c->count, 4);
    return scale_ok(c->scale) ? INFER_OK : INFER_E_RANGE;
}

int32_t infer_overlap_dequantize(const plan_op_t *op)
{
    const plan_dequantize_t *c = (const plan_dequantize_t *)op;
    return overlap(c->count, c->x_type, PLAN_TYPE_FLOAT32);
}

static int integer_ok(uint32_t type)
{
    return type == PLAN_TYPE_INT8 || type == PLAN_TYPE_UINT8 || type == PLAN_TYPE_INT16 ||
           type == PLAN_TYPE_INT32;
}

infer_status_t infer_check_requantize(const plan_header_t *plan, const plan_op_t *op,
                                      infer_uses_t *uses)
{
    const plan_requantize_t *c = (const plan_requantize_t *)op;
    (void)plan;
    if (c->count == 0) {
        return INFER_E_SHAPE;
    }
    if (!integer_ok(c->x_type) || !integer_ok(c->y_type) || c->reserved != 0) {
        return INFER_E_RECORD;
    }
    infer_use_typed(uses, c->x, c->count, infer_type_bytes(c->x_type), c->y, c->count,
                    infer_type_bytes(c->y_type));
    return infer_rescale_ok(c->rescale) ? INFER_OK : INFER_E_RANGE;
}

int32_t infer_overlap_requantize(const plan_op_t *op)
{
    const plan_requantize_t *c = (const plan_requantize_t *)op;
    return overlap(c->count, c->x_type, c->y_type);
}
