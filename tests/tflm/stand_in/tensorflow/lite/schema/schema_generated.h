/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: reads the few fields of a model's flatbuffer that it needs.
 */
#pragma once

#include <cstdint>
#include <cstring>

#include "tensorflow/lite/micro/operators.h"

namespace tflite
{

template <typename T> T scalar_at(const void *place)
{
    T value;
    std::memcpy(&value, place, sizeof value);
    return value;
}

/* What an offset leads to. */
template <typename T> const T *follow(const uint8_t *place)
{
    return reinterpret_cast<const T *>(place + scalar_at<uint32_t>(place));
}

class Table
{
  protected:
    /* Place of field `number`, or NULL. */
    const uint8_t *field(uint32_t number) const
    {
        const uint8_t *self = reinterpret_cast<const uint8_t *>(this);
        const uint8_t *entries = self - scalar_at<int32_t>(self);
        uint32_t at = 4 + 2 * number;
        uint16_t offset = at < scalar_at<uint16_t>(entries) ? scalar_at<uint16_t>(entries + at) : 0;
        return offset != 0 ? self + offset : nullptr;
    }

    template <typename T> T scalar(uint32_t number) const
    {
        const uint8_t *place = field(number);
        return place != nullptr ? scalar_at<T>(place) : T(0);
    }

    template <typename T> const T *reference(uint32_t number) const
    {
        const uint8_t *place = field(number);
        return place != nullptr ? follow<T>(place) : nullptr;
    }
};

class String
{
  public:
    const char *c_str() const
    {
        return reinterpret_cast<const char *>(this) + 4;
    }
};

class Numbers
{
  public:
    uint32_t size() const
    {
        return scalar_at<uint32_t>(this);
    }

    int32_t Get(uint32_t index) const
    {
        return scalar_at<int32_t>(reinterpret_cast<const uint8_t *>(this) + 4 + 4 * index);
    }
};

template <typename T> class Tables
{
  public:
    uint32_t size() const
    {
        return scalar_at<uint32_t>(this);
    }

    const T *Get(uint32_t index) const
    {
        return follow<T>(reinterpret_cast<const uint8_t *>(this) + 4 + 4 * index);
    }
};

struct VarHandleOptions : Table {
    const String *shared_name() const
    {
        return reference<String>(1);
    }
};

struct OperatorCode : Table {
    int8_t deprecated_builtin_code() const
    {
        return scalar<int8_t>(0);
    }

    int32_t builtin_code() const
    {
        return scalar<int32_t>(3);
    }
};

struct Operator : Table {
    uint32_t opcode_index() const
    {
        return scalar<uint32_t>(0);
    }

    const VarHandleOptions *builtin_options_as_VarHandleOptions() const
    {
        return reference<VarHandleOptions>(4);
    }
};

struct Tensor : Table {
    const Numbers *shape() const
    {
        return reference<Numbers>(0);
    }

    int8_t type() const
    {
        return scalar<int8_t>(1);
    }
};

struct SubGraph : Table {
    const Tables<Tensor> *tensors() const
    {
        return reference<Tables<Tensor>>(0);
    }

    const Numbers *inputs() const
    {
        return reference<Numbers>(1);
    }

    const Numbers *outputs() const
    {
        return reference<Numbers>(2);
    }

    const Tables<Operator> *operators() const
    {
        return reference<Tables<Operator>>(3);
    }
};

struct Model : Table {
    uint32_t version() const
    {
        return scalar<uint32_t>(0);
    }

    const Tables<OperatorCode> *operator_codes() const
    {
        return reference<Tables<OperatorCode>>(1);
    }

    const Tables<SubGraph> *subgraphs() const
    {
        return reference<Tables<SubGraph>>(2);
    }

    const String *description() const
    {
        return reference<String>(3);
    }
};

inline const Model *GetModel(const void *bytes)
{
    return follow<Model>(static_cast<const uint8_t *>(bytes));
}

} // namespace tflite
