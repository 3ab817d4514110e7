/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The plan: what the compiler emits and the executor walks. This header is the one truth for
 * every byte of it: C includes it, and the host reads this very file (host/torpor/plan/layout.py)
 * to write the same structs. It therefore holds nothing but numeric #defines, enums and structs
 * of fixed-width members without hidden padding. All numbers are little endian.
 *
 *   offset 0                                                                            length
 *   | header | tensors[] | io[] | states[] | operator records ... | strings ... | extra | data |
 *
 * A plan is position independent and is used in place; its first byte must be 16-byte aligned.
 * Every section starts 4-byte aligned, data starts 16-byte aligned; gaps are zero.
 *
 * A plan for TFLM has the same header, tensors, io, strings and extra, but no states and operator
 * records: n_ops is 0. Its data section is the model's .tflite file, unchanged, so 16-byte
 * aligned. Each input and output has a tensor of its own, in
 * their order, with its bytes, offset 0, first 0 and last 1: where they lie TensorFlow Lite Micro
 * decides. The bits of header.kernels are the numbers of host/torpor/plan/tflm.toml. The arena is
 *     PLAN_TFLM_BYTES | under PLAN_FLAG_KEEP_INPUT each input, filled up to 16 | its tensor arena
 *
 * Steps: step 0 is "the caller has written the inputs", step i (1 .. n_ops) is operator i-1,
 * step n_ops + 1 is "the caller reads the outputs". A tensor owns its bytes of the arena from
 * step `first` to step `last`, both included; what lies there at other times is undefined. A state
 * owns its bytes at every step, and from one inference to the next.
 */
#ifndef INFER_PLAN_H
#define INFER_PLAN_H

#include <stdint.h>

#define PLAN_MAGIC       0x4E4C5054 /* "TPLN" */
#define PLAN_VERSION     2
#define PLAN_ALIGN       16
#define PLAN_MAX_DIMS    5
#define PLAN_MAX_OPS     1024
#define PLAN_MAX_TENSORS 2048
#define PLAN_NO_STRING   0xFFFFFFFF /* string offset: absent */
#define PLAN_NO_DATA     0xFFFFFFFF /* data offset: absent */

/* plan_header_t.flags */
#define PLAN_FLAG_KEEP_INPUT 1 /* no operator writes into an input: it survives an inference */
#define PLAN_FLAG_STATE      2 /* TFLM: the model keeps something from one inference to the next */

/* Bytes at the start of the arena that the engine needs for itself, on 32 and 64 bits. TFLM only:
 * its interpreter lies in its tensor arena, to which goes what is left of these bytes too. */
#define PLAN_TFLM_BYTES 256

enum plan_target {
    PLAN_TARGET_PORTABLE = 0, /* weights as described below */
    PLAN_TARGET_DSP = 1,
    PLAN_TARGET_MVE = 2,
    PLAN_TARGET_TFLM = 3, /* a flatbuffer for TensorFlow Lite Micro, see below */
};

enum plan_type {
    PLAN_TYPE_INT8 = 1,
    PLAN_TYPE_UINT8 = 2,
    PLAN_TYPE_INT16 = 3,
    PLAN_TYPE_INT32 = 4,
    PLAN_TYPE_FLOAT32 = 5,
    PLAN_TYPE_BOOL = 6,
};

typedef struct {
    uint32_t magic;
    uint16_t version;
    uint8_t target; /* enum plan_target */
    uint8_t flags;
    uint32_t length;     /* of the whole plan in bytes, a multiple of 16 */
    uint32_t kernels[4]; /* bit (code % 32) of word (code / 32): operator `code` occurs */
    uint32_t arena_bytes;
    uint16_t arena_align; /* what the arena's first byte must be aligned to, a power of two */
    uint16_t n_tensors;
    uint16_t n_ops;
    uint8_t n_inputs;
    uint8_t n_outputs;
    uint16_t n_labels; /* consecutive NUL-terminated strings from `labels` on */
    uint16_t n_states;
    uint32_t tensors; /* offsets from the start of the plan */
    uint32_t io;      /* n_inputs records, then n_outputs */
    uint32_t states;
    uint32_t ops;
    uint32_t ops_bytes;
    uint32_t strings; /* NUL-terminated UTF-8 */
    uint32_t strings_bytes;
    uint32_t data; /* weights, channel blocks, tables */
    uint32_t data_bytes;
    uint32_t name;        /* string offset of the model's name, relative to `strings` */
    uint32_t labels;      /* string offset of the first label, or PLAN_NO_STRING */
    uint32_t extra;       /* what travels with the model and inference does not look at */
    uint32_t extra_bytes; /* 0: nothing */
} plan_header_t;          /* 96 bytes */

/* A region of the arena. */
typedef struct {
    uint32_t offset; /* in the arena */
    uint32_t bytes;  /* > 0 */
    uint16_t first;  /* step that writes it (0: an input or a state) */
    uint16_t last;   /* last step that reads it */
} plan_tensor_t;     /* 12 bytes */

/* What the caller needs to know of an input or output: real = scale * (code - zero_point). */
typedef struct {
    uint16_t tensor;
    uint8_t type; /* enum plan_type */
    uint8_t rank; /* <= PLAN_MAX_DIMS; dims beyond it are 1 */
    uint32_t dims[5];
    float scale; /* 0 where not quantized */
    int32_t zero_point;
    uint32_t name; /* string offset */
} plan_io_t;       /* 36 bytes */

/* A tensor that keeps its bytes from one inference to the next (first 0, last n_ops + 1). */
typedef struct {
    uint16_t tensor;
    uint8_t fill; /* each byte of it at first, where `data` is PLAN_NO_DATA */
    uint8_t reserved;
    uint32_t data; /* its bytes at first, in the data section, or PLAN_NO_DATA */
} plan_state_t;    /* 8 bytes */

/* Operators. A code names operator and weight type, so that a firmware links just the kernels
 * that its plans use. The codes are stable: never reused, new ones are added at the end. */
enum plan_op {
    PLAN_OP_COPY = 1,
    PLAN_OP_CONV_2D_S8 = 2,
    PLAN_OP_CONV_2D_S4 = 3,
    PLAN_OP_DEPTHWISE_CONV_2D_S8 = 4,
    PLAN_OP_DEPTHWISE_CONV_2D_S4 = 5,
    PLAN_OP_FULLY_CONNECTED_S8 = 6,
    PLAN_OP_FULLY_CONNECTED_S4 = 7,
    PLAN_OP_AVERAGE_POOL_2D_S8 = 8,
    PLAN_OP_MAX_POOL_2D_S8 = 9,
    PLAN_OP_MEAN_S8 = 10,
    PLAN_OP_ADD_S8 = 11,
    PLAN_OP_PAD_S8 = 12,
    PLAN_OP_SOFTMAX_S8 = 13,
    PLAN_OP_RELU_S8 = 14,
    PLAN_OP_SUB_S8 = 15,
    PLAN_OP_MUL_S8 = 16,
    PLAN_OP_MAXIMUM_S8 = 17,
    PLAN_OP_MINIMUM_S8 = 18,
    PLAN_OP_LUT_S8 = 19,
    PLAN_OP_STRIDED_COPY_S8 = 20,
    PLAN_OP_CONCATENATION = 21,
    PLAN_OP_RESIZE_NEAREST_NEIGHBOR = 22,
    PLAN_OP_PRELU_S8 = 23,
    PLAN_OP_TRANSPOSE_CONV_S8 = 24,
    PLAN_OP_SVDF_S8 = 25,
    PLAN_OP_ASSIGN = 26,
    PLAN_OP_LSTM_S8 = 27,
    PLAN_OP_LSTM_S16 = 28,
    PLAN_OP_LOGISTIC_S16 = 29,
    PLAN_OP_TANH_S16 = 30,
    PLAN_OP_SOFTMAX_S8_S16 = 31,
    PLAN_OP_SOFTMAX_S16 = 32,
    PLAN_OP_QUANTIZE_F32 = 33,
    PLAN_OP_DEQUANTIZE = 34,
    PLAN_OP_REQUANTIZE = 35,
    PLAN_OP_ADD_S16 = 36,
    PLAN_OP_SUB_S16 = 37,
    PLAN_OP_MUL_S16 = 38,
    PLAN_OP_MAXIMUM_S16 = 39,
    PLAN_OP_MINIMUM_S16 = 40,
    PLAN_OP_LEAKY_RELU_S16 = 41,
    PLAN_OP_CONV_2D_S16 = 42,
    PLAN_OP_DEPTHWISE_CONV_2D_S16 = 43,
    PLAN_OP_FULLY_CONNECTED_S16 = 44,
    PLAN_OP_AVERAGE_POOL_2D_S16 = 45,
    PLAN_OP_MAX_POOL_2D_S16 = 46,
    PLAN_OP_MEAN_S16 = 47,
    PLAN_OP_TRANSPOSE_CONV_S16 = 48,
    PLAN_OP_COUNT = 50,
};

/* plan_op_t.flags */
#define PLAN_OP_OVERLAP    1  /* output may share bytes with input 0, see overlap.h */
#define PLAN_OP_PER_TENSOR 2  /* the channel block has one multiplier and shift for all channels */
#define PLAN_OP_CONST_A    4  /* operand a is a constant of the data section, no tensor */
#define PLAN_OP_CONST_B    8  /* operand b is; never both */
#define PLAN_OP_ACC_32     16 /* int16 activations beside an int32 bias: accumulators of 32 bits */

/* Head of every operator record. Records lie back to back; `words` is the whole record in
 * 32-bit words, this head included, and must be the exact size of the record of that code. */
typedef struct {
    uint8_t code; /* enum plan_op */
    uint8_t flags;
    uint16_t words;
} plan_op_t;

/* real multiplier = multiplier * 2^(shift - 31); multiplier 0 or in [2^30, 2^31), shift -31..30 */
typedef struct {
    int32_t multiplier;
    int32_t shift;
} plan_rescale_t;

/* A 64-bit integer, two's complement, as two words: in a plan it is 4-byte aligned only. */
typedef struct {
    uint32_t low;
    uint32_t high;
} plan_int64_t;

/* Channel block of n channels, at `channels` in the data section, 4-byte aligned:
 *   int32 bias[n]; int32 multiplier[m]; int8 shift[m]; zero fill to a multiple of 4
 * with m = n, or m = 1 under PLAN_OP_PER_TENSOR. Bias is 0 where the model has none.
 *
 * Operators of int16 activations (_S16) have accumulators of 64 bits and the block
 *   plan_int64_t bias[n]; int16 multiplier[m]; int8 shift[m]; zero fill to a multiple of 4
 * whose multipliers are 0 .. 2^15 - 1 and shifts -31 .. 14: y = acc * multiplier * 2^(shift - 15),
 * rounded once, ties upwards. Under PLAN_OP_ACC_32 they have the block above. They have no zero
 * points: all of them are 0.
 *
 * Weights at `weights` in the data section, 4-byte aligned.
 *   s8, and s16 for short: one byte a code.  s4: two codes a byte, low nibble first, two's
 *   complement, and each row (see the operator) starts at a whole byte; an unused last nibble
 *   is 0. */

/* x: [batches, in_h, in_w, in_c]; y: [batches, out_h, out_w, out_c];
 * weights [out_c][kernel_h][kernel_w][in_c / groups]; one s4 row is one output channel.
 * Padding counts as zero_point, as if the tap were left out. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint16_t batches;
    uint16_t groups;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_h;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t pad_top;
    uint16_t pad_left;
    int16_t x_zero_point;
    int16_t y_zero_point;
    int16_t act_min;
    int16_t act_max;
    uint32_t weights;
    uint32_t channels; /* channel block of out_c channels */
} plan_conv_2d_t;

/* As conv, with weights [kernel_h][kernel_w][out_c], out_c = in_c * multiplier, output channel c
 * reads input channel c / multiplier; one s4 row is one tap (kernel_h, kernel_w). */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint16_t batches;
    uint16_t multiplier;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_h;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t dilation_h;
    uint16_t dilation_w;
    uint16_t pad_top;
    uint16_t pad_left;
    int16_t x_zero_point;
    int16_t y_zero_point;
    int16_t act_min;
    int16_t act_max;
    uint32_t weights;
    uint32_t channels;
} plan_depthwise_conv_2d_t;

/* x: [batches, in_n]; y: [batches, out_n]; weights [out_n][in_n], one s4 row is one output. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t batches;
    uint32_t in_n;
    uint32_t out_n;
    int16_t x_zero_point;
    int16_t y_zero_point;
    int16_t w_zero_point;
    int16_t act_min;
    int16_t act_max;
    int16_t reserved;
    uint32_t weights;
    uint32_t channels;
} plan_fully_connected_t;

/* x: [batches, in_h, in_w, in_c]; y: [batches, out_h, out_w, out_c];
 * weights [out_c][kernel_h][kernel_w][in_c]. Tap k of an axis leads from element i of x to element
 * i * stride + k - pad of y, if that is there. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint16_t batches;
    uint16_t reserved;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t in_c;
    uint16_t out_h;
    uint16_t out_w;
    uint16_t out_c;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t pad_top;
    uint16_t pad_left;
    int16_t x_zero_point;
    int16_t y_zero_point;
    int16_t act_min;
    int16_t act_max;
    uint32_t weights;
    uint32_t channels;
} plan_transpose_conv_t;

/* Average and maximum. x: [batches, in_h, in_w, channels]; taps outside x are left out; every
 * output has at least one tap inside. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint16_t batches;
    uint16_t channels;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t out_h;
    uint16_t out_w;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_h;
    uint16_t stride_w;
    uint16_t pad_top;
    uint16_t pad_left;
    int16_t act_min;
    int16_t act_max;
} plan_pool_2d_t;

/* x: [outer, reduced, inner]; y: [outer, inner]; the mean over `reduced`:
 * y = clamp8(y_zero_point + requantize(sum(x) - reduced * x_zero_point, rescale)),
 * 1 / reduced being part of rescale, whose multiplier may be anything from 0 to 2^31 - 1. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t outer;
    uint32_t reduced;
    uint32_t inner;
    int16_t x_zero_point;
    int16_t y_zero_point;
    plan_rescale_t rescale;
} plan_mean_t;

/* y[d0, d1, d2, d3] = a[...] (op) b[...], all int8 or all int16; strides in elements, 0 repeats
 * along that dimension.
 *   ADD, SUB: both inputs are shifted left by left_shift, rescaled, added or subtracted, and
 *     rescaled.
 *   MUL: the product of the differences to the zero points is rescaled by y_rescale.
 *   PRELU: the difference of a to its zero point is rescaled by a_rescale; where it is negative,
 *     its product with that of b by y_rescale.
 *   MAXIMUM, MINIMUM: of the codes themselves, whatever the zero points and rescales.
 * All but the last two add y_zero_point and clamp to act_min .. act_max. A constant operand has
 * its codes at `constant` in the data section, 4-byte aligned, and the tensor number 0. */
typedef struct {
    plan_op_t op;
    uint16_t a;
    uint16_t b;
    uint16_t y;
    uint16_t left_shift; /* int8: 20, int16: 15 */
    uint32_t dims[4];
    uint32_t a_strides[4];
    uint32_t b_strides[4];
    int16_t a_zero_point;
    int16_t b_zero_point;
    int16_t y_zero_point;
    int16_t reserved;
    plan_rescale_t a_rescale;
    plan_rescale_t b_rescale;
    plan_rescale_t y_rescale;
    int16_t act_min;
    int16_t act_max;
    uint32_t constant; /* 0 without one */
} plan_binary_t;

/* y: [before[i] + dims[i] + after[i]], filled around x: [dims[i]], all in bytes: byte number i of y
 * is byte i % 4 of `value` where it is no byte of x. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t dims[5];
    uint16_t before[5];
    uint16_t after[5];
    int32_t value;
} plan_pad_t;

/* x, y: [rows, depth].
 *   S8, S8_S16: input differences below diff_min count as exp(..) = 0; rescale turns a difference
 *     of codes, times beta, into Q5.26; its shift is 0..31.
 *   S16: rescale turns a difference of codes, times beta, into units of 10/65535; its shift is
 *     -31..15; diff_min is 0. At `constant` in the data section, 4-byte aligned, lie two tables of
 *     513 numbers of 16 bits in Q0.15, one after the other: exp(10 * i / 512 - 10) and
 *     1 / (1 + i / 512). */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t rows;
    uint32_t depth;
    plan_rescale_t rescale;
    int32_t diff_min;
    uint32_t constant; /* 0 but for S16 */
} plan_softmax_t;

/* y = clamp(y_zero_point + requantize(x - x_zero_point, rescale), act_min, act_max); where
 * multiplier is 0: y = clamp(x, act_min, act_max). */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t count;
    int16_t x_zero_point;
    int16_t y_zero_point;
    int16_t act_min;
    int16_t act_max;
    plan_rescale_t rescale;
} plan_relu_t;

/* y[i] = the code number x[i] + 128 of the 256 codes at `constant` in the data section, 4-byte
 * aligned: any function of one code. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t count;
    uint32_t constant;
} plan_lut_t;

/* Sigmoid table, at `constant` in the data section, 4-byte aligned: uint16_t s[256], where
 * s[i] is 1 / (1 + exp(-i / 24)) in Q0.16 (for straight lines between them, see
 * host/torpor/compile/sigmoid.py). LOGISTIC, TANH: y = the function of
 * round(x * multiplier / 2^shift) / 12288, in Q0.15; multiplier is at most 32767 unless shift is 0;
 * shift is 0..31. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t count;
    uint16_t multiplier;
    uint16_t shift;
    uint32_t constant; /* sigmoid table */
} plan_logistic_t;

/* Long short-term memory. x: [batches, steps, in_n]; y: [batches, steps, out_n], of either type;
 * both [steps, batches, ..] where time_major is 1. States: hidden [batches, out_n] of that type,
 * what y was at the last step; cell [batches, out_n], int16.
 * The gates of a unit are 0 input, 1 forget, 2 candidate, 3 output. With h = y of the step before
 * (at step 0: hidden) and all intermediate results saturated to int16:
 *   gate[k] = function(rescale(bias[k] + sum of (x - x_zero_point) * w, x_rescale[k]) +
 *                      rescale(sum of (h - y_zero_point) * w, y_rescale[k]))      in Q3.12
 *   cell = clamp(rescale(gate[1] * cell, forget_rescale) +
 *                rescale(gate[0] * gate[2], input_rescale), cell_min, cell_max)
 *   y = y_zero_point + rescale(gate[3] * tanh(cell), output_rescale)
 * The function is LOGISTIC, for gate 2 TANH; tanh(cell) as TANH with tanh_multiplier, tanh_shift.
 * weights: int8 [out_n][4][in_n + out_n]; channels: bias [out_n][4], int32, or plan_int64_t for
 * S16. S16 has no zero points; its sums have 64 bits, and x_rescale and y_rescale are as in the
 * channel block of 64 bits. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint16_t hidden;
    uint16_t cell;
    uint32_t batches;
    uint32_t steps;
    uint32_t in_n;
    uint32_t out_n;
    int16_t x_zero_point;
    int16_t y_zero_point;
    int16_t cell_min;
    int16_t cell_max;
    uint16_t time_major; /* 0 or 1 */
    uint16_t tanh_multiplier;
    uint16_t tanh_shift;
    uint16_t reserved;
    plan_rescale_t x_rescale[4];
    plan_rescale_t y_rescale[4];
    plan_rescale_t forget_rescale;
    plan_rescale_t input_rescale;
    plan_rescale_t output_rescale;
    uint32_t weights;
    uint32_t channels;
    uint32_t constant; /* sigmoid table */
} plan_lstm_t;

/* y[d0 .. d4] = x[start + the sum of d[i] * strides[i]], in bytes; x has `count` bytes. Elements of
 * several bytes are one more dimension, the innermost.
 * A stride may be 0 or negative: slices, transpositions and repetitions are this. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t count;
    uint32_t start;
    uint32_t dims[5];
    int32_t strides[5];
} plan_strided_copy_t;

/* y: [outer][inner[0] + inner[1] + ...] bytes, row by row of the operands' [outer][inner[i]].
 * Operand i lies in the data section where bit i of `constants` is set, such ones back to back from
 * `constant` on, 4-byte aligned; the others are x[0], x[1], ... What is not used is 0. */
typedef struct {
    plan_op_t op;
    uint16_t x[10];
    uint16_t y;
    uint16_t n; /* operands, 1 .. 10, one a tensor at least */
    uint16_t constants;
    uint16_t reserved;
    uint32_t outer;
    uint32_t inner[10];
    uint32_t constant;
} plan_concatenation_t;

/* x: [batches, in_h, in_w], y: [batches, out_h, out_w], all of `pixel` bytes:
 * y[b][i][j] = x[b][rows[i]][columns[j]], where uint16 rows[out_h] and columns[out_w] lie one after
 * the other at `constant` in the data section, 4-byte aligned. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t batches;
    uint32_t pixel;
    uint16_t in_h;
    uint16_t in_w;
    uint16_t out_h;
    uint16_t out_w;
    uint32_t constant;
} plan_resize_nearest_neighbor_t;

/* int16: y = clamp(y_zero_point + f(x - x_zero_point), act_min, act_max), where
 * f(v) = requantize(v, above) if v >= 0, else sign_after * requantize(sign_before * v, below). */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t count;
    int16_t x_zero_point;
    int16_t y_zero_point;
    int16_t act_min;
    int16_t act_max;
    plan_rescale_t above;
    plan_rescale_t below;
    int8_t sign_before; /* 1 or -1 */
    int8_t sign_after;
    uint16_t reserved;
} plan_leaky_relu_t;

/* float32 to int8 or int16: y = saturated(y_zero_point + round(x / scale)), the quotient rounded to
 * float32, then to the nearest integer, ties away from zero; -2^31 for what is not in -2^31 ..
 * 2^31 - 1, not a number included; the sum wraps. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t count;
    float scale; /* finite, above 0 */
    int16_t y_zero_point;
    uint16_t y_type; /* enum plan_type */
} plan_quantize_t;

/* int8, uint8 or int16 to float32: y = scale * (x - x_zero_point), rounded once. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t count;
    float scale; /* finite, above 0 */
    int16_t x_zero_point;
    uint16_t x_type; /* enum plan_type */
} plan_dequantize_t;

/* Any integer type to any: y = saturated(y_zero_point + requantize(x - x_zero_point, rescale)),
 * where sum and difference wrap. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t count;
    uint8_t x_type; /* enum plan_type */
    uint8_t y_type;
    uint16_t reserved;
    int32_t x_zero_point;
    int32_t y_zero_point;
    plan_rescale_t rescale;
} plan_requantize_t;

/* `bytes` bytes of x, which has x_bytes, from byte `start` on become those of the state. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t state;
    uint32_t x_bytes;
    uint32_t start;
    uint32_t bytes;
} plan_assign_t;

/* x: [batches, in_n]; y: [batches, units]; each unit is the sum of `rank` filters. `weights` has
 * the features [units * rank][in_n], s8; `constant` has the weights of the memories [units * rank]
 * [memory], which like the state [batches][units * rank][memory] have elements of `state_size`
 * bytes, 1 or 2. Each filter's memory forgets its oldest code and gets as its newest
 * state_zero_point + saturated(requantize(sum of (x - x_zero_point) * features, state_rescale)),
 * which wraps. y = clamp8(y_zero_point + channel(bias + sum of (state - state_zero_point) *
 * weight)). */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint16_t state;
    uint16_t state_size;
    uint32_t batches;
    uint32_t in_n;
    uint32_t units;
    uint32_t rank;
    uint32_t memory;
    int16_t x_zero_point;
    int16_t y_zero_point;
    int16_t state_zero_point;
    uint16_t reserved;
    plan_rescale_t state_rescale;
    uint32_t weights;
    uint32_t constant;
    uint32_t channels; /* channel block of `units` channels */
} plan_svdf_t;

/* y = x, byte for byte. */
typedef struct {
    plan_op_t op;
    uint16_t x;
    uint16_t y;
    uint32_t bytes;
} plan_copy_t;

#endif
