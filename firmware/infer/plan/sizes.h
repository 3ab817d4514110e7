/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Sizes in checked arithmetic: a product that does not fit sticks at INFER_TOO_BIG, which equals
 * no tensor's size because arena and plan are smaller than 2^31 bytes.
 */
#ifndef INFER_PLAN_SIZES_H
#define INFER_PLAN_SIZES_H

#include <stdint.h>

#define INFER_TOO_BIG 0xFFFFFFFFu

static inline uint32_t size_limit(uint64_t size)
{
    return size < INFER_TOO_BIG ? (uint32_t)size : INFER_TOO_BIG;
}

/* a * b; factors are at least 1 wherever this is used, so that too big never becomes small. */
static inline uint32_t size_mul(uint32_t a, uint32_t b)
{
    return size_limit((uint64_t)a * b);
}

static inline uint32_t size_add(uint32_t a, uint32_t b)
{
    return size_limit((uint64_t)a + b);
}

static inline uint32_t size_mul4(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return size_mul(size_mul(size_mul(a, b), c), d);
}

#endif
