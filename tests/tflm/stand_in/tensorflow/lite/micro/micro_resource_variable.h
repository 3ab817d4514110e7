/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: what a model keeps; here, how often it has run.
 */
#pragma once

#include "tensorflow/lite/micro/micro_allocator.h"

namespace tflite
{

class MicroResourceVariables
{
  public:
    static MicroResourceVariables *Create(MicroAllocator *allocator, int count);

    int count;
    int runs;
};

} // namespace tflite
