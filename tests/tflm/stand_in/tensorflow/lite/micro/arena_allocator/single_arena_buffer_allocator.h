/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: hands out an arena, lasting memory from its end, passing memory from its start.
 */
#pragma once

#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/compatibility.h"

namespace tflite
{

class SingleArenaBufferAllocator
{
  public:
    SingleArenaBufferAllocator(uint8_t *bytes, size_t count);
    virtual ~SingleArenaBufferAllocator() = default;
    virtual uint8_t *AllocatePersistentBuffer(size_t size, size_t alignment);
    virtual uint8_t *AllocateTemp(size_t size, size_t alignment);
    virtual TfLiteStatus ResizeBuffer(uint8_t *buffer, size_t size, size_t alignment);
    virtual TfLiteStatus ResetTempAllocations();
    virtual uint8_t *GetOverlayMemoryAddress() const;
    virtual size_t GetAvailableMemory(size_t alignment) const;
    size_t GetUsedBytes() const;

    TF_LITE_REMOVE_VIRTUAL_DELETE

  protected:
    uint8_t *tail() const;

  private:
    uint8_t *first_;
    uint8_t *end_;
    uint8_t *head_;
    uint8_t *tail_;
    uint8_t *temp_;
};

} // namespace tflite
