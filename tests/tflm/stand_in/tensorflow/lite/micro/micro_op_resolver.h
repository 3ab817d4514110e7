/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: says which operators there are.
 */
#pragma once

#include "tensorflow/lite/schema/schema_generated.h"

namespace tflite
{

class MicroOpResolver
{
  public:
    virtual ~MicroOpResolver() = default;
    virtual const TFLMRegistration *FindOp(BuiltinOperator op) const = 0;
};

} // namespace tflite
