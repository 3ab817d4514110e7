/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: a resolver for up to kCount operators.
 */
#pragma once

#include "tensorflow/lite/micro/compatibility.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"

namespace tflite
{

template <unsigned kCount> class MicroMutableOpResolver : public MicroOpResolver
{
  public:
#define ADD(method, name, number)                                                                  \
    TfLiteStatus method(const TFLMRegistration &registration = Register_##name())                  \
    {                                                                                              \
        return add(registration);                                                                  \
    }
    STAND_IN_OPERATORS(ADD)
#undef ADD

    const TFLMRegistration *FindOp(BuiltinOperator op) const override
    {
        for (unsigned i = 0; i < used_; i++) {
            if (registrations_[i].builtin_code == op) {
                return &registrations_[i];
            }
        }
        return nullptr;
    }

    TF_LITE_REMOVE_VIRTUAL_DELETE

  private:
    TfLiteStatus add(const TFLMRegistration &registration)
    {
        if (used_ == kCount) {
            MicroPrintf("resolver size is too small (%d)", static_cast<int>(kCount));
            return kTfLiteError;
        }
        registrations_[used_++] = registration;
        return kTfLiteOk;
    }

    TFLMRegistration registrations_[kCount];
    unsigned used_ = 0;
};

} // namespace tflite
