/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Checks that several operators share: constants in the data section, and overlaps.
 */
#include "infer/ops/ops.h"
#include "infer/plan/sizes.h"

#include "infer/overlap.h"

int infer_data_ok(const plan_header_t *plan, uint32_t offset, uint32_t bytes)
{
    return offset % 4 == 0 && size_add(offset, bytes) <= plan->data_bytes;
}

uint32_t infer_weight_bytes(const plan_op_t *op, uint32_t rows, uint32_t n)
{
    int s4 = op->code == PLAN_OP_CONV_2D_S4 || op->code == PLAN_OP_DEPTHWISE_CONV_2D_S4 ||
             op->code == PLAN_OP_FULLY_CONNECTED_S4;
    return size_mul(rows, s4 && n != INFER_TOO_BIG ? n / 2 + n % 2 : n);
}

int infer_layer_codes_ok(const plan_op_t *op, int32_t x_zero_point, int32_t y_zero_point,
                         int32_t act_min, int32_t act_max)
{
    if (infer_layer_size(op) == 2) {
        return x_zero_point == 0 && y_zero_point == 0 && act_min <= act_max;
    }
    return infer_code_ok(x_zero_point) && infer_code_ok(y_zero_point) &&
           infer_activation_ok(act_min, act_max);
}

/* The block of a 64-bit accumulator. */
static infer_status_t check_channels_64(const plan_header_t *plan, uint32_t channels, uint32_t n,
                                        uint32_t m)
{
    uint64_t rescale_bytes = ((uint64_t)m * 3 + 3) / 4 * 4;
    if (!infer_data_ok(plan, channels, size_limit((uint64_t)n * 8 + rescale_bytes))) {
        return INFER_E_DATA;
    }
    const plan_int64_t *bias = (const plan_int64_t *)infer_data(plan, channels);
    const int16_t *multiplier = (const int16_t *)(bias + n);
    const int8_t *shift = (const int8_t *)(multiplier + m);
    for (uint32_t i = 0; i < m; i++) {
        if (multiplier[i] < 0 || shift[i] < -31 || shift[i] > 14) {
            return INFER_E_RANGE;
        }
    }
    return INFER_OK;
}

infer_status_t infer_check_channels(const plan_header_t *plan, const plan_op_t *op,
                                    uint32_t channels, uint32_t n)
{
    uint32_t m = (op->flags & PLAN_OP_PER_TENSOR) != 0 ? 1 : n;
    if (infer_layer_size(op) == 2 && (op->flags & PLAN_OP_ACC_32) == 0) {
        return check_channels_64(plan, channels, n, m);
    }
    uint64_t shift_bytes = ((uint64_t)m + 3) / 4 * 4;
    uint32_t bytes = size_limit((uint64_t)n * 4 + (uint64_t)m * 4 + shift_bytes);
    if (!infer_data_ok(plan, channels, bytes)) {
        return INFER_E_DATA;
    }
    const int32_t *multiplier = (const int32_t *)infer_data(plan, channels) + n;
    const int8_t *shift = (const int8_t *)(multiplier + m);
    for (uint32_t i = 0; i < m; i++) {
        if (!infer_multiplier_ok(multiplier[i]) || !infer_shift_ok(shift[i])) {
            return INFER_E_RANGE;
        }
    }
    return INFER_OK;
}

int32_t infer_overlap_bytes(int64_t elements, uint32_t size)
{
    int64_t bytes = elements * size;
    return bytes < INFER_OVERLAP_NEVER ? (int32_t)bytes : INFER_OVERLAP_NEVER;
}

/* Row b writes up to (b + 1) * out_n and reads from b * in_n: linear in b. */
int32_t infer_rows_overlap(uint32_t rows, uint32_t in_n, uint32_t out_n, uint32_t size)
{
    int64_t distance = out_n;
    if (rows > 1 && out_n > in_n) {
        distance += (int64_t)size_mul(rows - 1, out_n - in_n);
    }
    return infer_overlap_bytes(distance, size);
}

int32_t infer_overlap_elementwise(const plan_op_t *op)
{
    (void)op;
    return 0;
}

int32_t infer_overlap_never(const plan_op_t *op)
{
    (void)op;
    return INFER_OVERLAP_NEVER;
}

int32_t infer_overlap_distance(const plan_op_t *op)
{
    const infer_kernel_t *kernel = infer_find_kernel(op->code);
    return kernel != NULL ? kernel->overlap(op) : INFER_OVERLAP_NEVER;
}
