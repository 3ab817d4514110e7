/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: which operator an entry of the flatbuffer means.
 */
#pragma once

#include "tensorflow/lite/schema/schema_generated.h"

namespace tflite
{

inline BuiltinOperator GetBuiltinCode(const OperatorCode *code)
{
    int32_t former = code->deprecated_builtin_code();
    return static_cast<BuiltinOperator>(former > code->builtin_code() ? former
                                                                      : code->builtin_code());
}

} // namespace tflite
