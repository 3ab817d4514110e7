/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Of the stand-in: the memory of one model.
 */
#pragma once

#include "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"

namespace tflite
{

class MicroAllocator
{
  public:
    static MicroAllocator *Create(SingleArenaBufferAllocator *memory, MicroMemoryPlanner *planner);
    void *AllocatePersistentBuffer(size_t bytes);

    SingleArenaBufferAllocator *memory;
    MicroMemoryPlanner *planner;
};

} // namespace tflite
