/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: puts one tensor behind the other; each takes a row of the table it is given.
 */
#pragma once

#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/compatibility.h"

namespace tflite
{

class MicroMemoryPlanner
{
  public:
    virtual ~MicroMemoryPlanner() = default;
    virtual TfLiteStatus Init(unsigned char *table, int bytes) = 0;
    virtual TfLiteStatus AddBuffer(int size, int first, int last) = 0;
    virtual TfLiteStatus AddBuffer(int size, int first, int last, int offset) = 0;
    virtual size_t GetMaximumMemorySize() = 0;
};

class GreedyMemoryPlanner : public MicroMemoryPlanner
{
  public:
    TfLiteStatus Init(unsigned char *table, int bytes) override;
    TfLiteStatus AddBuffer(int size, int first, int last) override;
    TfLiteStatus AddBuffer(int size, int first, int last, int offset) override;
    size_t GetMaximumMemorySize() override;

    TF_LITE_REMOVE_VIRTUAL_DELETE

  private:
    int rows_;
    size_t bytes_;
};

} // namespace tflite
