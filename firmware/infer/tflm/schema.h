/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The part of TensorFlow Lite's schema (tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3)
 * that TensorFlow Lite Micro follows: fields of tables by number and their kinds, and the numbers
 * of enumerations. What is left out nobody reads.
 */
#ifndef INFER_TFLM_SCHEMA_H
#define INFER_TFLM_SCHEMA_H

#include "infer/plan.h"
#include "infer/tflm/flatbuffer.h"

#define SCHEMA_VERSION 3u

enum {
    MODEL_VERSION = 0,
    MODEL_CODES = 1,
    MODEL_SUBGRAPHS = 2,
    MODEL_BUFFERS = 4,
    MODEL_METADATA = 6,
    MODEL_FIELDS = 7
};
enum { CODE_DEPRECATED = 0, CODE_CUSTOM = 1, CODE_BUILTIN = 3, CODE_FIELDS = 4 };
enum {
    SUBGRAPH_TENSORS = 0,
    SUBGRAPH_INPUTS = 1,
    SUBGRAPH_OUTPUTS = 2,
    SUBGRAPH_OPERATORS = 3,
    SUBGRAPH_FIELDS = 4
};
enum {
    TENSOR_SHAPE = 0,
    TENSOR_TYPE = 1,
    TENSOR_BUFFER = 2,
    TENSOR_QUANTIZATION = 4,
    TENSOR_VARIABLE = 5,
    TENSOR_EXTERNAL = 10,
    TENSOR_FIELDS = 11
};
enum {
    QUANTIZATION_SCALE = 2,
    QUANTIZATION_ZERO_POINT = 3,
    QUANTIZATION_DIMENSION = 6,
    QUANTIZATION_FIELDS = 7
};
enum {
    OPERATOR_CODE = 0,
    OPERATOR_INPUTS = 1,
    OPERATOR_OUTPUTS = 2,
    OPERATOR_OPTIONS_TYPE = 3,
    OPERATOR_OPTIONS = 4,
    OPERATOR_CUSTOM = 5,
    OPERATOR_INTERMEDIATES = 8,
    OPERATOR_FIELDS = 9
};
enum { BUFFER_DATA = 0, BUFFER_OFFSET = 1, BUFFER_SIZE = 2, BUFFER_FIELDS = 3 };
enum { METADATA_NAME = 0, METADATA_BUFFER = 1, METADATA_FIELDS = 2 };

static const uint8_t model_fields[MODEL_FIELDS] = {
    [MODEL_VERSION] = FLAT_WORD,  [MODEL_CODES] = FLAT_WORDS,    [MODEL_SUBGRAPHS] = FLAT_WORDS,
    [MODEL_BUFFERS] = FLAT_WORDS, [MODEL_METADATA] = FLAT_WORDS,
};
static const uint8_t code_fields[CODE_FIELDS] = {
    [CODE_DEPRECATED] = FLAT_BYTE,
    [CODE_CUSTOM] = FLAT_TEXT,
    FLAT_WORD,
    [CODE_BUILTIN] = FLAT_WORD,
};
static const uint8_t subgraph_fields[SUBGRAPH_FIELDS] = {
    [SUBGRAPH_TENSORS] = FLAT_WORDS,
    [SUBGRAPH_INPUTS] = FLAT_WORDS,
    [SUBGRAPH_OUTPUTS] = FLAT_WORDS,
    [SUBGRAPH_OPERATORS] = FLAT_WORDS,
};
static const uint8_t tensor_fields[TENSOR_FIELDS] = {
    [TENSOR_SHAPE] = FLAT_WORDS,   [TENSOR_TYPE] = FLAT_BYTE,
    [TENSOR_BUFFER] = FLAT_WORD,   [TENSOR_QUANTIZATION] = FLAT_WORD,
    [TENSOR_VARIABLE] = FLAT_BYTE, [TENSOR_EXTERNAL] = FLAT_NO_WORD,
};
static const uint8_t quantization_fields[QUANTIZATION_FIELDS] = {
    [QUANTIZATION_SCALE] = FLAT_WORDS,
    [QUANTIZATION_ZERO_POINT] = FLAT_LONGS,
    [QUANTIZATION_DIMENSION] = FLAT_WORD,
};
static const uint8_t operator_fields[OPERATOR_FIELDS] = {
    [OPERATOR_CODE] = FLAT_WORD,           [OPERATOR_INPUTS] = FLAT_WORDS,
    [OPERATOR_OUTPUTS] = FLAT_WORDS,       [OPERATOR_OPTIONS_TYPE] = FLAT_BYTE,
    [OPERATOR_OPTIONS] = FLAT_WORD,        [OPERATOR_CUSTOM] = FLAT_BYTES,
    [OPERATOR_INTERMEDIATES] = FLAT_WORDS,
};
static const uint8_t buffer_fields[BUFFER_FIELDS] = {
    [BUFFER_DATA] = FLAT_BYTES,
    [BUFFER_OFFSET] = FLAT_NO_LONG,
    [BUFFER_SIZE] = FLAT_NO_LONG,
};
static const uint8_t metadata_fields[METADATA_FIELDS] = {
    [METADATA_NAME] = FLAT_TEXT,
    [METADATA_BUFFER] = FLAT_WORD,
};

/* TensorType */
#define TYPE_INT4 17u

/* Bytes of an element of each TensorType in the arena; 0: TensorFlow Lite Micro has no such. */
static const uint8_t type_bytes[] = {
    [0] = 4 /* FLOAT32 */,   [1] = 2 /* FLOAT16 */,      [2] = 4 /* INT32 */,
    [3] = 1 /* UINT8 */,     [4] = 8 /* INT64 */,        [6] = 1 /* BOOL */,
    [7] = 2 /* INT16 */,     [8] = 8 /* COMPLEX64 */,    [9] = 1 /* INT8 */,
    [10] = 8 /* FLOAT64 */,  [11] = 16 /* COMPLEX128 */, [12] = 8 /* UINT64 */,
    [13] = 4 /* RESOURCE */, [15] = 4 /* UINT32 */,      [16] = 2 /* UINT16 */,
    [TYPE_INT4] = 1,         [18] = 2 /* BFLOAT16 */,
};

/* enum plan_type of each TensorType that an input or output can have */
static const uint8_t plan_types[] = {
    [0] = PLAN_TYPE_FLOAT32, [2] = PLAN_TYPE_INT32, [3] = PLAN_TYPE_UINT8,
    [6] = PLAN_TYPE_BOOL,    [7] = PLAN_TYPE_INT16, [9] = PLAN_TYPE_INT8,
};

/* BuiltinOperator */
enum {
    CODE_SEQUENCE_LSTM = 44,
    CODE_IF = 118,
    CODE_WHILE = 119,
    CODE_CALL_ONCE = 129,
    CODE_VAR_HANDLE = 142,
    CODE_ASSIGN_VARIABLE = 144
};

/* BuiltinOptions: their fields, for the operators of host/torpor/plan/tflm.toml */
enum { OPTIONS_IF = 92, OPTIONS_WHILE = 93, OPTIONS_CALL_ONCE = 103, OPTIONS_MOST_FIELDS = 7 };

typedef struct {
    uint8_t type;
    uint8_t fields[OPTIONS_MOST_FIELDS];
} options_t;

static const options_t options[] = {
    {1, {FLAT_BYTE, FLAT_WORD, FLAT_WORD, FLAT_BYTE, FLAT_WORD, FLAT_WORD, FLAT_BYTE}}, /* Conv2D */
    {2,
     {FLAT_BYTE, FLAT_WORD, FLAT_WORD, FLAT_WORD, FLAT_BYTE, FLAT_WORD, FLAT_WORD}}, /* Depthwise */
    {5, {FLAT_BYTE, FLAT_WORD, FLAT_WORD, FLAT_WORD, FLAT_WORD, FLAT_BYTE}},         /* Pool2D */
    {6, {FLAT_WORD, FLAT_BYTE, FLAT_BYTE}},                                          /* SVDF */
    {8, {FLAT_BYTE, FLAT_BYTE, FLAT_BYTE, FLAT_BYTE, FLAT_BYTE}},             /* FullyConnected */
    {9, {FLAT_WORD}},                                                         /* Softmax */
    {10, {FLAT_WORD, FLAT_BYTE}},                                             /* Concatenation */
    {11, {FLAT_BYTE, FLAT_BYTE}},                                             /* Add */
    {12, {FLAT_BYTE}},                                                        /* L2Norm */
    {15, {FLAT_SKIP, FLAT_SKIP, FLAT_BYTE, FLAT_BYTE}},                       /* ResizeBilinear */
    {17, {FLAT_WORDS}},                                                       /* Reshape */
    {19, {FLAT_WORD}},                                                        /* SpaceToDepth */
    {21, {FLAT_BYTE}},                                                        /* Mul */
    {23, {FLAT_WORD, FLAT_WORD}},                                             /* Gather */
    {27, {FLAT_BYTE}},                                                        /* Reducer */
    {28, {FLAT_BYTE, FLAT_BYTE}},                                             /* Sub */
    {29, {FLAT_BYTE}},                                                        /* Div */
    {30, {FLAT_WORDS}},                                                       /* Squeeze */
    {32, {FLAT_WORD, FLAT_WORD, FLAT_WORD, FLAT_WORD, FLAT_WORD, FLAT_BYTE}}, /* StridedSlice */
    {35, {FLAT_WORD}},                                                        /* Split */
    {37, {FLAT_BYTE, FLAT_BYTE}},                                             /* Cast */
    {40, {FLAT_BYTE}},                                                        /* ArgMax */
    {49, {FLAT_BYTE, FLAT_WORD, FLAT_WORD, FLAT_BYTE, FLAT_BYTE}},            /* TransposeConv */
    {55, {FLAT_BYTE}},                                                        /* Shape */
    {57, {FLAT_BYTE}},                                                        /* ArgMin */
    {59, {FLAT_WORD, FLAT_WORD}},                                             /* Pack */
    {64, {FLAT_WORD, FLAT_WORD}},                                             /* Unpack */
    {71,
     {FLAT_BYTE, FLAT_WORD, FLAT_WORD, FLAT_BYTE, FLAT_BYTE,
      FLAT_BYTE}},                /* UnidirectionalSequenceLSTM */
    {74, {FLAT_BYTE, FLAT_BYTE}}, /* ResizeNearestNeighbor */
    {75, {FLAT_WORD}},            /* LeakyRelu */
    {77, {FLAT_BYTE}},            /* MirrorPad */
    {79, {FLAT_WORD}},            /* SplitV */
    {OPTIONS_IF, {FLAT_WORD, FLAT_WORD}},
    {OPTIONS_WHILE, {FLAT_WORD, FLAT_WORD}},
    {94, {FLAT_WORD}},                        /* DepthToSpace */
    {101, {FLAT_BYTE, FLAT_BYTE, FLAT_BYTE}}, /* BatchMatMul */
    {102, {FLAT_BYTE, FLAT_BYTE}},            /* Cumsum */
    {OPTIONS_CALL_ONCE, {FLAT_WORD}},
    {111, {FLAT_TEXT, FLAT_TEXT}}, /* VarHandle */
};

#endif
