/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * PAD of up to five dimensions with a constant of one, two or four bytes.
 */
#include <string.h>

#include "infer/kernel.h"
#include "infer/ops/ops.h"

/* Is index[0..3] of the output inside the input along each of these dimensions? */
static int inside(const plan_pad_t *c, const uint32_t *index)
{
    for (uint32_t i = 0; i < 4; i++) {
        if (index[i] < c->before[i] || index[i] - c->before[i] >= c->dims[i]) {
            return 0;
        }
    }
    return 1;
}

/* Counts index[0..3] one up in row-major order; 0 after the last. */
static int advance(const plan_pad_t *c, uint32_t *index)
{
    for (uint32_t i = 4; i-- > 0;) {
        index[i]++;
        if (index[i] < c->before[i] + c->dims[i] + c->after[i]) {
            return 1;
        }
        index[i] = 0;
    }
    return 0;
}

/* Fills `count` bytes of y from number `at` on with the bytes of `value` in turn. */
static uint32_t fill(uint8_t *y, uint32_t at, uint32_t value, uint32_t count)
{
    if (value == (value & 0xFFu) * 0x01010101u) {
        memset(y + at, (int)(value & 0xFFu), count);
        return at + count;
    }
    for (uint32_t end = at + count; at < end; at++) {
        y[at] = (uint8_t)(value >> 8 * (at % 4));
    }
    return at;
}

static void pad_s8_run(const infer_t *model, const plan_op_t *op)
{
    const plan_pad_t *c = (const plan_pad_t *)op;
    const uint8_t *x = (const uint8_t *)infer_tensor(model, c->x);
    uint8_t *y = (uint8_t *)infer_tensor(model, c->y);
    uint32_t index[4] = {0, 0, 0, 0};
    uint32_t value = (uint32_t)c->value;
    uint32_t at = 0;
    do {
        if (inside(c, index)) {
            at = fill(y, at, value, c->before[4]);
            memcpy(y + at, x, c->dims[4]);
            x += c->dims[4];
            at = fill(y, at + c->dims[4], value, c->after[4]);
        } else {
            at = fill(y, at, value, c->before[4] + c->dims[4] + c->after[4]);
        }
    } while (advance(c, index));
}

const infer_kernel_t infer_pad_s8 = {
    .words = sizeof(plan_pad_t) / 4,
    .flags = 0,
    .check = infer_check_pad,
    .overlap = infer_overlap_never,
    .run = pad_s8_run,
};
