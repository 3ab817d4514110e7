/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in for TensorFlow Lite Micro: see ../micro/micro_interpreter.h.
 */
#pragma once

#include <cstddef>
#include <cstdint>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

struct TfLiteTensor {
    union {
        void *data;
        uint8_t *uint8;
    } data;
    size_t bytes;
};

struct TFLMRegistration {
    int32_t builtin_code;
};
