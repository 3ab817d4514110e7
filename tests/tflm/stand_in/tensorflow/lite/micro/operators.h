/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: the operators that it can register, X(method of the resolver, name, number in
 * the schema), and the registrations for few types.
 */
#pragma once

#include "tensorflow/lite/c/common.h"

// clang-format off
#define STAND_IN_OPERATORS(X) \
    X(AddAbs, ABS, 101) X(AddAdd, ADD, 0) X(AddAddN, ADD_N, 106) X(AddArgMax, ARG_MAX, 56) \
    X(AddArgMin, ARG_MIN, 79) X(AddAssignVariable, ASSIGN_VARIABLE, 144) \
    X(AddAveragePool2D, AVERAGE_POOL_2D, 1) X(AddBatchMatMul, BATCH_MATMUL, 126) \
    X(AddBatchToSpaceNd, BATCH_TO_SPACE_ND, 37) X(AddBroadcastArgs, BROADCAST_ARGS, 145) \
    X(AddBroadcastTo, BROADCAST_TO, 130) X(AddCallOnce, CALL_ONCE, 129) X(AddCast, CAST, 53) \
    X(AddConcatenation, CONCATENATION, 2) X(AddConv2D, CONV_2D, 3) X(AddCumSum, CUMSUM, 128) \
    X(AddDepthToSpace, DEPTH_TO_SPACE, 5) X(AddDepthwiseConv2D, DEPTHWISE_CONV_2D, 4) \
    X(AddDequantize, DEQUANTIZE, 6) X(AddDiv, DIV, 42) \
    X(AddDynamicUpdateSlice, DYNAMIC_UPDATE_SLICE, 151) X(AddElu, ELU, 111) \
    X(AddEmbeddingLookup, EMBEDDING_LOOKUP, 7) X(AddEqual, EQUAL, 71) \
    X(AddExpandDims, EXPAND_DIMS, 70) X(AddFill, FILL, 94) \
    X(AddFullyConnected, FULLY_CONNECTED, 9) X(AddGather, GATHER, 36) \
    X(AddGatherNd, GATHER_ND, 107) X(AddGreater, GREATER, 61) \
    X(AddGreaterEqual, GREATER_EQUAL, 62) X(AddHardSwish, HARD_SWISH, 117) X(AddIf, IF, 118) \
    X(AddL2Normalization, L2_NORMALIZATION, 11) X(AddLeakyRelu, LEAKY_RELU, 98) \
    X(AddLess, LESS, 58) X(AddLessEqual, LESS_EQUAL, 63) X(AddLogicalAnd, LOGICAL_AND, 86) \
    X(AddLogicalNot, LOGICAL_NOT, 87) X(AddLogicalOr, LOGICAL_OR, 84) \
    X(AddLogistic, LOGISTIC, 14) X(AddLogSoftmax, LOG_SOFTMAX, 50) X(AddMaximum, MAXIMUM, 55) \
    X(AddMaxPool2D, MAX_POOL_2D, 17) X(AddMean, MEAN, 40) X(AddMinimum, MINIMUM, 57) \
    X(AddMirrorPad, MIRROR_PAD, 100) X(AddMul, MUL, 18) X(AddNeg, NEG, 59) \
    X(AddNotEqual, NOT_EQUAL, 72) X(AddPack, PACK, 83) X(AddPad, PAD, 34) X(AddPadV2, PADV2, 60) \
    X(AddPrelu, PRELU, 54) X(AddQuantize, QUANTIZE, 114) X(AddReadVariable, READ_VARIABLE, 143) \
    X(AddReduceAll, REDUCE_ALL, 140) X(AddReduceMax, REDUCE_MAX, 82) \
    X(AddReduceMin, REDUCE_MIN, 89) X(AddRelu, RELU, 19) X(AddRelu6, RELU6, 21) \
    X(AddReshape, RESHAPE, 22) X(AddResizeBilinear, RESIZE_BILINEAR, 23) \
    X(AddResizeNearestNeighbor, RESIZE_NEAREST_NEIGHBOR, 97) X(AddReverseV2, REVERSE_V2, 105) \
    X(AddRsqrt, RSQRT, 76) X(AddSelectV2, SELECT_V2, 123) X(AddShape, SHAPE, 77) \
    X(AddSlice, SLICE, 65) X(AddSoftmax, SOFTMAX, 25) \
    X(AddSpaceToBatchNd, SPACE_TO_BATCH_ND, 38) X(AddSpaceToDepth, SPACE_TO_DEPTH, 26) \
    X(AddSplit, SPLIT, 49) X(AddSplitV, SPLIT_V, 102) \
    X(AddSquaredDifference, SQUARED_DIFFERENCE, 99) X(AddSqueeze, SQUEEZE, 43) \
    X(AddStridedSlice, STRIDED_SLICE, 45) X(AddSub, SUB, 41) X(AddSum, SUM, 74) \
    X(AddSvdf, SVDF, 27) X(AddTanh, TANH, 28) X(AddTranspose, TRANSPOSE, 39) \
    X(AddTransposeConv, TRANSPOSE_CONV, 67) \
    X(AddUnidirectionalSequenceLSTM, UNIDIRECTIONAL_SEQUENCE_LSTM, 44) X(AddUnpack, UNPACK, 88) \
    X(AddVarHandle, VAR_HANDLE, 142) X(AddWhile, WHILE, 119) X(AddZerosLike, ZEROS_LIKE, 93)
#define STAND_IN_SPECIAL(ALIAS) \
    ALIAS(Register_ADD_INT8, ADD) ALIAS(Register_AVERAGE_POOL_2D_INT8, AVERAGE_POOL_2D) \
    ALIAS(Register_BATCH_MATMUL_INT8, BATCH_MATMUL) ALIAS(Register_CONV_2D_INT8, CONV_2D) \
    ALIAS(Register_DEPTHWISE_CONV_2D_INT8, DEPTHWISE_CONV_2D) \
    ALIAS(Register_FULLY_CONNECTED_INT8, FULLY_CONNECTED) ALIAS(Register_MAXIMUM_INT8, MAXIMUM) \
    ALIAS(Register_MAX_POOL_2D_INT8, MAX_POOL_2D) ALIAS(Register_MINIMUM_INT8, MINIMUM) \
    ALIAS(Register_MUL_INT8, MUL) ALIAS(Register_SOFTMAX_INT8, SOFTMAX) \
    ALIAS(Register_SVDF_INT8, SVDF) \
    ALIAS(Register_TRANSPOSE_CONV_INT8, TRANSPOSE_CONV) \
    ALIAS(Register_UNIDIRECTIONAL_SEQUENCE_LSTM_INT8, UNIDIRECTIONAL_SEQUENCE_LSTM) \
    ALIAS(Register_CONV_2D_INT4, CONV_2D) \
    ALIAS(Register_DEPTHWISE_CONV_2D_INT4, DEPTHWISE_CONV_2D) \
    ALIAS(Register_FULLY_CONNECTED_INT4, FULLY_CONNECTED)
// clang-format on

namespace tflite
{

enum BuiltinOperator : int32_t {
    BuiltinOperator_CUSTOM = 32,
#define NUMBER(method, name, number) BuiltinOperator_##name = number,
    STAND_IN_OPERATORS(NUMBER)
#undef NUMBER
};

#define DECLARE(method, name, number) TFLMRegistration Register_##name();
STAND_IN_OPERATORS(DECLARE)
#undef DECLARE

#define ALIAS(special, name)                                                                       \
    inline TFLMRegistration special()                                                              \
    {                                                                                              \
        return Register_##name();                                                                  \
    }
STAND_IN_SPECIAL(ALIAS)
#undef ALIAS

} // namespace tflite
