/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Elements of any integer type, for operators whose input and output differ in type.
 */
#ifndef INFER_KERNELS_ELEMENTS_H
#define INFER_KERNELS_ELEMENTS_H

#include "infer/kernels/requantize.h"
#include "infer/plan.h"

/* Element `i` of a tensor of the integer type `type`. */
static inline int32_t element_load(const void *x, uint32_t i, uint32_t type)
{
    switch (type) {
    case PLAN_TYPE_INT8:
        return ((const int8_t *)x)[i];
    case PLAN_TYPE_UINT8:
        return ((const uint8_t *)x)[i];
    case PLAN_TYPE_INT16:
        return ((const int16_t *)x)[i];
    default:
        return ((const int32_t *)x)[i];
    }
}

/* Stores the code of `type` that is nearest to `value`. */
static inline void element_store(void *y, uint32_t i, uint32_t type, int32_t value)
{
    switch (type) {
    case PLAN_TYPE_INT8:
        ((int8_t *)y)[i] = (int8_t)clamp(value, INT8_MIN, INT8_MAX);
        break;
    case PLAN_TYPE_UINT8:
        ((uint8_t *)y)[i] = (uint8_t)clamp(value, 0, UINT8_MAX);
        break;
    case PLAN_TYPE_INT16:
        ((int16_t *)y)[i] = (int16_t)clamp(value, INT16_MIN, INT16_MAX);
        break;
    default:
        ((int32_t *)y)[i] = value;
        break;
    }
}

#endif
