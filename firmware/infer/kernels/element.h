/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Activations by their number, for kernels that are the same for int8 and int16: the body takes
 * load and store as arguments (see inline.h).
 */
#ifndef INFER_KERNELS_ELEMENT_H
#define INFER_KERNELS_ELEMENT_H

#include <stdint.h>

/* The code of element number i of x. */
typedef int32_t load_t(const void *x, uint32_t i);

/* Makes `code`, which fits, element number i of y. */
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

#endif
