/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Is the flatbuffer of a plan one that TensorFlow Lite Micro can follow?
 *
 * It checks nothing of the kind itself: a wrong offset makes it read anywhere. What this proves:
 *   - All tables, vectors and strings that it follows lie in the data section, aligned as it reads
 *     them, and are there where it does not ask whether they are.
 *   - Numbers of buffers, operator codes, tensors and subgraphs are below their count. Subgraphs
 *     are called by those before them only, so that no call comes back to itself.
 *   - Shapes have at most 6 dimensions (as many as it copies to its stack), none negative; the
 *     bytes of all tensors together, and so no sum of them, overflow an int.
 *   - A constant has all bytes that shape and type say, and no operator or input writes into one.
 *   - Scales have the length that their dimension says.
 *   - Inputs and outputs have number, types and shapes of the plan's.
 *   - Offsets of a memory plan in the metadata are aligned and in the arena.
 * What it does not: what operators do with their parameters. Whether a filter fits its input, an
 * axis exists, or two tensors of a memory plan share bytes, is up to TensorFlow Lite Micro. So is
 * whether there is a kernel (it looks for it by name), and whether the arena is large enough.
 */
#ifndef INFER_TFLM_MODEL_H
#define INFER_TFLM_MODEL_H

#include "infer/infer.h"

/* The index of a verdict INFER_E_MODEL: where the flatbuffer is wrong. Stable numbers. Where more
 * is looked at than the flatbuffer has bytes, because much of it leads to the same bytes, it is the
 * part that was too much. */
enum tflm_part {
    TFLM_PART_NONE = 0,
    TFLM_PART_FILE = 1,         /* no flatbuffer of the kind TFL3 */
    TFLM_PART_MODEL = 2,        /* the root table, or something that it must have */
    TFLM_PART_CODE = 3,         /* an operator code */
    TFLM_PART_BUFFER = 4,       /* a buffer, or its bytes lie outside of the flatbuffer */
    TFLM_PART_SUBGRAPH = 5,     /* a subgraph, its inputs or outputs */
    TFLM_PART_TENSOR = 6,       /* a tensor's table, shape, type or buffer */
    TFLM_PART_CONSTANT = 7,     /* a constant tensor has too few bytes */
    TFLM_PART_QUANTIZATION = 8, /* scales and zero points */
    TFLM_PART_OPERATOR = 9,     /* an operator's table, code, inputs, outputs or intermediates */
    TFLM_PART_OPTIONS = 10,     /* an operator's options */
    TFLM_PART_CALL = 11,        /* a call of a subgraph */
    TFLM_PART_METADATA = 12,    /* metadata, a memory plan among it, or compressed tensors */
    TFLM_PART_COUNT = 13,       /* more operators, tensors or bytes of tensors than allowed */
};

/* INFER_E_MODEL with a part; INFER_E_VERSION: another schema; INFER_E_IO with the number of an
 * input, or of an output behind the inputs, that is not the plan's, -1 if there are more or fewer.
 * `plan` has passed infer_sections_verdict(). */
infer_verdict_t tflm_model_verdict(const plan_header_t *plan);

#endif
