/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A stand-in for TensorFlow Lite Micro: the few classes that firmware/infer/tflm uses, under their
 * names, so that the adapter, the build and firmware can be tested where there is none. It runs no
 * operator. Byte i of output k is byte i of input 0 (over and over, if that is shorter) + k + 1,
 * and + how often it has run before if the model has variables.
 *
 * It does as the model's description says, if that is one of these:
 *   "fails to allocate"    AllocateTensors() fails, memory or not
 *   "forgets to clear up"  AllocateTensors() fails, with memory that is still lent
 *   "fails to invoke"        Invoke() fails, and has run
 *   "starves"              Invoke() wants more memory than there is
 *   "asserts"              Invoke() ends in abort()
 */
#pragma once

#include <cstdlib>

#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"

#define TFLITE_SCHEMA_VERSION (3)

namespace tflite
{

class MicroInterpreter
{
  public:
    MicroInterpreter(const Model *model, const MicroOpResolver &resolver, MicroAllocator *allocator,
                     MicroResourceVariables *variables = nullptr);
    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    TfLiteTensor *input(size_t index);
    TfLiteTensor *output(size_t index);
    size_t inputs_size() const;
    size_t outputs_size() const;
    size_t arena_used_bytes() const;

  private:
    const SubGraph *graph() const;
    bool is(const char *description) const;
    TfLiteStatus find_operators() const;
    TfLiteTensor *described(const Numbers &ends);
    TfLiteStatus plan(const TfLiteTensor *tensors, size_t count);
    uint8_t *place(TfLiteTensor *tensors, size_t count, uint8_t *bytes);
    void compute(TfLiteTensor &output, size_t index, int before);

    const Model *model_;
    const MicroOpResolver &resolver_;
    MicroAllocator *allocator_;
    MicroResourceVariables *variables_;
    TfLiteTensor *inputs_ = nullptr;
    TfLiteTensor *outputs_ = nullptr;
};

} // namespace tflite
