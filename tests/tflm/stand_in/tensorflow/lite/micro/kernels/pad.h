/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: a registration that the header of the resolver does not declare.
 */
#pragma once

#include "tensorflow/lite/micro/operators.h"

namespace tflite
{

inline TFLMRegistration Register_PAD_INT8()
{
    return Register_PAD();
}

} // namespace tflite
