/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What an operator consists of, and the table of those that a firmware has.
 *
 * Each operator code PLAN_OP_<NAME> is one file kernels/<name>.c (or kernels/<isa>/<name>.c) that
 * defines `const infer_kernel_t infer_<name>`. The build generates the table from the codes that
 * its plans use, so that no other kernel is linked:
 *
 *     const infer_kernel_t *const infer_kernels[PLAN_OP_COUNT] = {
 *         [PLAN_OP_CONV_2D_S8] = &infer_conv_2d_s8,
 *         [PLAN_OP_SOFTMAX_S8] = &infer_softmax_s8,
 *     };
 */
#ifndef INFER_KERNEL_H
#define INFER_KERNEL_H

#include "infer/infer.h"
#include "infer/plan/tables.h"

#define INFER_OVERLAP_NEVER INT32_MAX

#define INFER_MAX_INPUTS 10
#define INFER_MAX_USES   (INFER_MAX_INPUTS + 3)

/* The tensors that a record touches: first those read, then the one written, then the states,
 * which are read and written. A size that does not fit is INFER_TOO_BIG (see plan/sizes.h). */
typedef struct {
    uint8_t inputs;  /* 1 .. INFER_MAX_INPUTS; the output may overlap the first, see overlap.h */
    uint8_t outputs; /* 0 or 1 */
    uint8_t states;  /* 0 .. 2 */
    uint16_t tensor[INFER_MAX_USES];
    uint8_t align[INFER_MAX_USES]; /* of the tensor's first byte: 0 (any), 2 or 4 */
    uint32_t bytes[INFER_MAX_USES];
} infer_uses_t;

typedef struct {
    uint16_t words; /* exact size of the record */
    uint8_t flags;  /* PLAN_OP_* flags that it may carry */

    /* Proves that run() with this record reads only its tensors and the data section, writes only
     * its output and states, and that no arithmetic is undefined, provided that the tensors
     * have the sizes and alignments put into `uses`, which is all zeros before. Called with a
     * record of the right size; touches nothing else of it. */
    infer_status_t (*check)(const plan_header_t *plan, const plan_op_t *op, infer_uses_t *uses);

    /* See overlap.h. */
    int32_t (*overlap)(const plan_op_t *op);

    void (*run)(const infer_t *model, const plan_op_t *op);
} infer_kernel_t;

/* Provided by the build; NULL where a kernel is not linked. */
extern const infer_kernel_t *const infer_kernels[PLAN_OP_COUNT];

extern const infer_kernel_t infer_copy;
extern const infer_kernel_t infer_conv_2d_s8;
extern const infer_kernel_t infer_conv_2d_s4;
extern const infer_kernel_t infer_depthwise_conv_2d_s8;
extern const infer_kernel_t infer_depthwise_conv_2d_s4;
extern const infer_kernel_t infer_fully_connected_s8;
extern const infer_kernel_t infer_fully_connected_s4;
extern const infer_kernel_t infer_average_pool_2d_s8;
extern const infer_kernel_t infer_max_pool_2d_s8;
extern const infer_kernel_t infer_mean_s8;
extern const infer_kernel_t infer_add_s8;
extern const infer_kernel_t infer_pad_s8;
extern const infer_kernel_t infer_softmax_s8;
extern const infer_kernel_t infer_relu_s8;
extern const infer_kernel_t infer_sub_s8;
extern const infer_kernel_t infer_mul_s8;
extern const infer_kernel_t infer_maximum_s8;
extern const infer_kernel_t infer_minimum_s8;
extern const infer_kernel_t infer_lut_s8;
extern const infer_kernel_t infer_strided_copy_s8;
extern const infer_kernel_t infer_concatenation;
extern const infer_kernel_t infer_resize_nearest_neighbor;
extern const infer_kernel_t infer_prelu_s8;
extern const infer_kernel_t infer_transpose_conv_s8;
extern const infer_kernel_t infer_lstm_s8;
extern const infer_kernel_t infer_lstm_s16;
extern const infer_kernel_t infer_logistic_s16;
extern const infer_kernel_t infer_tanh_s16;
extern const infer_kernel_t infer_softmax_s8_s16;
extern const infer_kernel_t infer_softmax_s16;
extern const infer_kernel_t infer_quantize_f32;
extern const infer_kernel_t infer_dequantize;
extern const infer_kernel_t infer_requantize;
extern const infer_kernel_t infer_add_s16;
extern const infer_kernel_t infer_sub_s16;
extern const infer_kernel_t infer_mul_s16;
extern const infer_kernel_t infer_maximum_s16;
extern const infer_kernel_t infer_minimum_s16;
extern const infer_kernel_t infer_leaky_relu_s16;
extern const infer_kernel_t infer_conv_2d_s16;
extern const infer_kernel_t infer_depthwise_conv_2d_s16;
extern const infer_kernel_t infer_fully_connected_s16;
extern const infer_kernel_t infer_average_pool_2d_s16;
extern const infer_kernel_t infer_max_pool_2d_s16;
extern const infer_kernel_t infer_mean_s16;
extern const infer_kernel_t infer_svdf_s8;
extern const infer_kernel_t infer_assign;
extern const infer_kernel_t infer_transpose_conv_s16;

/* The kernel of an operator code, or NULL. */
static inline const infer_kernel_t *infer_find_kernel(uint32_t code)
{
    return code < PLAN_OP_COUNT ? infer_kernels[code] : NULL;
}

/* The operator records of a plan. */
static inline const plan_op_t *infer_first_op(const plan_header_t *plan)
{
    return (const plan_op_t *)((const uint8_t *)plan + plan->ops);
}

static inline const plan_op_t *infer_next_op(const plan_op_t *op)
{
    return (const plan_op_t *)((const uint8_t *)op + 4u * op->words);
}

/* First byte of a tensor in the arena. */
static inline void *infer_tensor(const infer_t *model, uint16_t tensor)
{
    return model->arena + infer_tensors(model->plan)[tensor].offset;
}

#endif
