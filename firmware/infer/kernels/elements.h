/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Elements by their number. For operators whose input and output differ in type: of any integer
 * type; for those that are the same for int8 and int16: functions that their body takes as
 * arguments (see inline.h).
 */
#ifndef INFER_KERNELS_ELEMENTS_H
#define INFER_KERNELS_ELEMENTS_H

#include "infer/kernels/requantize.h"
#include "infer/plan.h"

/* The code of element `i` of x. */
typedef int32_t load_t(const void *x, uint32_t i);

/* Makes `code`, which fits, element `i` of y. */
typedef void store_t(void *y, uint32_t i, int32_t code);

static inline int32_t load_s8(const void *x, uint32_t i)
{
    return ((const int8_t *)x)[i];
}

static inline int32_t load_s16(const void *x, uint32_t i)
{
    return ((const int16_t *)x)[i];
}

static inline void store_s8(void *y, uint32_t i, int32_t code)
{
    ((int8_t *)y)[i] = (int8_t)code;
}

static inline void store_s16(void *y, uint32_t i, int32_t code)
{
    ((int16_t *)y)[i] = (int16_t)code;
}

/* Element `i` of a tensor of the integer type `type`. */
static inline int32_t element_load(const void *x, uint32_t i, uint32_t type)
{
    switch (type) {
    case PLAN_TYPE_INT8:
        return load_s8(x, i);
    case PLAN_TYPE_UINT8:
        return ((const uint8_t *)x)[i];
    case PLAN_TYPE_INT16:
        return load_s16(x, i);
    default:
        return ((const int32_t *)x)[i];
    }
}

/* Stores the code of `type` that is nearest to `value`. */
static inline void element_store(void *y, uint32_t i, uint32_t type, int32_t value)
{
    switch (type) {
    case PLAN_TYPE_INT8:
        store_s8(y, i, clamp(value, INT8_MIN, INT8_MAX));
        break;
    case PLAN_TYPE_UINT8:
        ((uint8_t *)y)[i] = (uint8_t)clamp(value, 0, UINT8_MAX);
        break;
    case PLAN_TYPE_INT16:
        store_s16(y, i, clamp(value, INT16_MIN, INT16_MAX));
        break;
    default:
        ((int32_t *)y)[i] = value;
        break;
    }
}

#endif
