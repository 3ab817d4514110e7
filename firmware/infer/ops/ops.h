/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The checks of all operators (see infer_kernel_t in kernel.h) and what they share. s8 and s4
 * forms of an operator share one check.
 */
#ifndef INFER_OPS_OPS_H
#define INFER_OPS_OPS_H

#include "infer/kernel.h"
#include "infer/plan/sections.h"
#include "infer/plan/sizes.h"

infer_status_t infer_check_assign(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_binary(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_concatenation(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_conv_2d(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_copy(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_depthwise_conv_2d(const plan_header_t *, const plan_op_t *,
                                             infer_uses_t *);
infer_status_t infer_check_dequantize(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_fully_connected(const plan_header_t *, const plan_op_t *,
                                           infer_uses_t *);
infer_status_t infer_check_leaky_relu(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_logistic(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_lstm(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_lut(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_mean(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_pad(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_pool_2d(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_quantize(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_relu(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_requantize(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_resize_nearest_neighbor(const plan_header_t *, const plan_op_t *,
                                                   infer_uses_t *);
infer_status_t infer_check_softmax(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_strided_copy(const plan_header_t *, const plan_op_t *, infer_uses_t *);
infer_status_t infer_check_svdf(const plan_header_t *, const plan_op_t *, infer_uses_t *);

infer_status_t infer_check_transpose_conv(const plan_header_t *, const plan_op_t *, infer_uses_t *);

int32_t infer_overlap_binary(const plan_op_t *op);
int32_t infer_overlap_concatenation(const plan_op_t *op);
int32_t infer_overlap_conv_2d(const plan_op_t *op);
int32_t infer_overlap_depthwise_conv_2d(const plan_op_t *op);
int32_t infer_overlap_dequantize(const plan_op_t *op);
int32_t infer_overlap_fully_connected(const plan_op_t *op);
int32_t infer_overlap_lstm(const plan_op_t *op);
int32_t infer_overlap_pool_2d(const plan_op_t *op);
int32_t infer_overlap_quantize(const plan_op_t *op);
int32_t infer_overlap_requantize(const plan_op_t *op);
int32_t infer_overlap_strided_copy(const plan_op_t *op);
int32_t infer_overlap_transpose_conv(const plan_op_t *op);

int32_t infer_overlap_softmax(const plan_op_t *op);

/* Element by element, reading before writing: 0. */
int32_t infer_overlap_elementwise(const plan_op_t *op);

/* INFER_OVERLAP_NEVER. */
int32_t infer_overlap_never(const plan_op_t *op);

/* A distance of overlap.h in bytes, given in elements of `size` bytes. */
int32_t infer_overlap_bytes(int64_t elements, uint32_t size);

/* A sliding window along both axes; what conv, depthwise and pools have in common. */
typedef struct {
    uint32_t batches;
    uint32_t in_h, in_w, in_c;
    uint32_t out_h, out_w, out_c;
    uint32_t kernel_h, kernel_w;
    uint32_t stride_h, stride_w;
    uint32_t dilation_h, dilation_w;
    uint32_t pad_top, pad_left;
    uint32_t size; /* bytes of an element of the input and of the output */
} infer_window_t;

infer_window_t infer_conv_2d_window(const plan_conv_2d_t *c);
infer_window_t infer_depthwise_conv_2d_window(const plan_depthwise_conv_2d_t *c);

/* All sizes at least 1 and every coordinate small enough for 32-bit arithmetic. */
int infer_window_ok(const infer_window_t *w);

/* Every window has at least one tap inside the input; dilation is 1. */
int infer_window_has_taps(const infer_window_t *w);

/* Fills `uses` for one input and one output of these shapes. */
void infer_window_uses(const infer_window_t *w, uint16_t x, uint16_t y, infer_uses_t *uses);

/* The formula of overlap.h. */
int32_t infer_window_overlap(const infer_window_t *w);

/* `n` and `m` as in plan.h's channel blocks: the one of this operator lies inside the data section,
 * aligned, and its multipliers and shifts are in range. */
infer_status_t infer_check_channels(const plan_header_t *plan, const plan_op_t *op,
                                    uint32_t channels, uint32_t n);

/* A sigmoid table at `table`, and an argument's multiplier and shift, as in plan_logistic_t. */
infer_status_t infer_check_sigmoid(const plan_header_t *plan, uint32_t multiplier, uint32_t shift,
                                   uint32_t table);

/* The formula of overlap.h for rows of in_n elements, each of which gives one of out_n elements,
 * of `size` bytes each. */
int32_t infer_rows_overlap(uint32_t rows, uint32_t in_n, uint32_t out_n, uint32_t size);

/* `bytes` bytes at `offset` of the data section lie inside it, 4-byte aligned. */
int infer_data_ok(const plan_header_t *plan, uint32_t offset, uint32_t bytes);

/* Bytes of `rows` rows of `n` weights each, in the packing of the operator's code. */
uint32_t infer_weight_bytes(const plan_op_t *op, uint32_t rows, uint32_t n);

/* Zero points and bounds of a layer, pool or mean are codes of its activations, the bounds in
 * order; int16 codes have no zero point. */
int infer_layer_codes_ok(const plan_op_t *op, int32_t x_zero_point, int32_t y_zero_point,
                         int32_t act_min, int32_t act_max);

/* Bytes of an element of the activations of a layer, pool or mean. */
static inline uint32_t infer_layer_size(const plan_op_t *op)
{
    return op->code >= PLAN_OP_CONV_2D_S16 && op->code <= PLAN_OP_TRANSPOSE_CONV_S16 ? 2 : 1;
}

static inline int infer_code_ok(int32_t code)
{
    return code >= INT8_MIN && code <= INT8_MAX;
}

static inline int infer_activation_ok(int32_t act_min, int32_t act_max)
{
    return infer_code_ok(act_min) && infer_code_ok(act_max) && act_min <= act_max;
}

/* As every multiplier but MEAN's is made: 0 or normalized. */
static inline int infer_multiplier_ok(int32_t multiplier)
{
    return multiplier == 0 || multiplier >= (1 << 30);
}

static inline int infer_shift_ok(int32_t shift)
{
    return shift >= -31 && shift <= 30;
}

static inline int infer_rescale_ok(plan_rescale_t rescale)
{
    return infer_multiplier_ok(rescale.multiplier) && infer_shift_ok(rescale.shift);
}

/* Sets use `i`: `count` elements of `size` bytes (1, 2 or 4), aligned to that. */
static inline void infer_use_at(infer_uses_t *uses, uint32_t i, uint16_t tensor, uint32_t count,
                                uint32_t size)
{
    uses->tensor[i] = tensor;
    uses->bytes[i] = size_mul(count, size);
    uses->align[i] = (uint8_t)size;
}

/* Sets one input and one output, of elements of these sizes. */
static inline void infer_use_typed(infer_uses_t *uses, uint16_t x, uint32_t x_count,
                                   uint32_t x_size, uint16_t y, uint32_t y_count, uint32_t y_size)
{
    uses->inputs = 1;
    uses->outputs = 1;
    infer_use_at(uses, 0, x, x_count, x_size);
    infer_use_at(uses, 1, y, y_count, y_size);
}

/* Sets one input and one output of bytes. */
static inline void infer_use(infer_uses_t *uses, uint16_t x, uint32_t x_bytes, uint16_t y,
                             uint32_t y_bytes)
{
    infer_use_typed(uses, x, x_bytes, 1, y, y_bytes, 1);
}

#endif
