/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See tensorflow/lite/micro/micro_interpreter.h.
 */
#include <cstring>
#include <new>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_utils.h"

static void log(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    DebugLog(format, args);
    va_end(args);
}

void MicroPrintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    DebugLog(format, args);
    va_end(args);
    log("\r\n");
}

namespace tflite
{

namespace
{

constexpr size_t kAlignment = 16;
constexpr size_t kRow = 36; /* of the planner's table */

uint8_t *up(uint8_t *place, size_t alignment)
{
    return place + (0 - reinterpret_cast<uintptr_t>(place)) % alignment;
}

uint8_t *down(uint8_t *place, size_t alignment)
{
    return place - reinterpret_cast<uintptr_t>(place) % alignment;
}

size_t padded(size_t bytes)
{
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

size_t bytes_of(const Tensor *tensor)
{
    static const uint8_t sizes[] = {4, 2, 4, 1, 8, 1, 1, 2, 8, 1}; /* enum TensorType */
    size_t bytes = sizes[tensor->type()];
    for (uint32_t i = 0; tensor->shape() != nullptr && i < tensor->shape()->size(); i++) {
        bytes *= static_cast<size_t>(tensor->shape()->Get(i));
    }
    return bytes;
}

} // namespace

#define DEFINE(method, name, number)                                                               \
    TFLMRegistration Register_##name()                                                             \
    {                                                                                              \
        return {number};                                                                           \
    }
STAND_IN_OPERATORS(DEFINE)
#undef DEFINE

SingleArenaBufferAllocator::SingleArenaBufferAllocator(uint8_t *bytes, size_t count)
    : first_(bytes), end_(bytes + count), head_(bytes), tail_(bytes + count), temp_(bytes)
{
}

uint8_t *SingleArenaBufferAllocator::AllocatePersistentBuffer(size_t size, size_t alignment)
{
    size_t available = static_cast<size_t>(tail_ - head_);
    if (size > available || down(tail_ - size, alignment) < head_) {
        MicroPrintf("Failed to allocate tail memory. Requested: %u, available %u",
                    static_cast<unsigned>(size), static_cast<unsigned>(available));
        return nullptr;
    }
    tail_ = down(tail_ - size, alignment);
    return tail_;
}

uint8_t *SingleArenaBufferAllocator::AllocateTemp(size_t size, size_t alignment)
{
    uint8_t *found = up(temp_, alignment);
    if (static_cast<size_t>(tail_ - found) < size) {
        MicroPrintf("Failed to allocate temp memory. Requested: %u", static_cast<unsigned>(size));
        return nullptr;
    }
    temp_ = found + size;
    return found;
}

TfLiteStatus SingleArenaBufferAllocator::ResizeBuffer(uint8_t *buffer, size_t size, size_t)
{
    if (buffer != first_ || temp_ != head_) {
        MicroPrintf("Internal error: buffer is not resizable");
        return kTfLiteError;
    }
    if (static_cast<size_t>(tail_ - first_) < size) {
        MicroPrintf("Failed to resize buffer. Requested: %u", static_cast<unsigned>(size));
        return kTfLiteError;
    }
    head_ = temp_ = first_ + size;
    return kTfLiteOk;
}

TfLiteStatus SingleArenaBufferAllocator::ResetTempAllocations()
{
    temp_ = head_;
    return kTfLiteOk;
}

uint8_t *SingleArenaBufferAllocator::GetOverlayMemoryAddress() const
{
    return first_;
}

size_t SingleArenaBufferAllocator::GetAvailableMemory(size_t alignment) const
{
    return static_cast<size_t>(down(tail_, alignment) - up(temp_, alignment));
}

size_t SingleArenaBufferAllocator::GetUsedBytes() const
{
    return static_cast<size_t>(end_ - tail_ + temp_ - first_);
}

uint8_t *SingleArenaBufferAllocator::tail() const
{
    return tail_;
}

TfLiteStatus GreedyMemoryPlanner::Init(unsigned char *, int bytes)
{
    rows_ = bytes / static_cast<int>(kRow);
    bytes_ = 0;
    return kTfLiteOk;
}

TfLiteStatus GreedyMemoryPlanner::AddBuffer(int size, int, int)
{
    if (rows_ == 0) {
        MicroPrintf("Too many buffers");
        return kTfLiteError;
    }
    rows_--;
    bytes_ += padded(static_cast<size_t>(size));
    return kTfLiteOk;
}

TfLiteStatus GreedyMemoryPlanner::AddBuffer(int size, int first, int last, int)
{
    return AddBuffer(size, first, last);
}

size_t GreedyMemoryPlanner::GetMaximumMemorySize()
{
    return bytes_;
}

MicroAllocator *MicroAllocator::Create(SingleArenaBufferAllocator *memory,
                                       MicroMemoryPlanner *planner)
{
    uint8_t *place =
        memory->AllocatePersistentBuffer(sizeof(MicroAllocator), alignof(MicroAllocator));
    return new (place) MicroAllocator{memory, planner};
}

void *MicroAllocator::AllocatePersistentBuffer(size_t bytes)
{
    return memory->AllocatePersistentBuffer(bytes, kAlignment);
}

MicroResourceVariables *MicroResourceVariables::Create(MicroAllocator *allocator, int count)
{
    size_t table = 32 * static_cast<size_t>(count);
    void *place = allocator->AllocatePersistentBuffer(sizeof(MicroResourceVariables) + table);
    return new (place) MicroResourceVariables{count, 0};
}

MicroInterpreter::MicroInterpreter(const Model *model, const MicroOpResolver &resolver,
                                   MicroAllocator *allocator, MicroResourceVariables *variables)
    : model_(model), resolver_(resolver), allocator_(allocator), variables_(variables)
{
}

const SubGraph *MicroInterpreter::graph() const
{
    return model_->subgraphs()->Get(0);
}

bool MicroInterpreter::is(const char *description) const
{
    const String *found = model_->description();
    return found != nullptr && std::strcmp(found->c_str(), description) == 0;
}

TfLiteStatus MicroInterpreter::find_operators() const
{
    for (uint32_t i = 0; i < graph()->operators()->size(); i++) {
        uint32_t index = graph()->operators()->Get(i)->opcode_index();
        BuiltinOperator code = GetBuiltinCode(model_->operator_codes()->Get(index));
        if (resolver_.FindOp(code) == nullptr) {
            MicroPrintf("Didn't find op for builtin opcode %d", static_cast<int>(code));
            return kTfLiteError;
        }
    }
    return kTfLiteOk;
}

/* The tensors of inputs or outputs, with their sizes. */
TfLiteTensor *MicroInterpreter::described(const Numbers &ends)
{
    void *place = allocator_->AllocatePersistentBuffer(sizeof(TfLiteTensor) * ends.size());
    TfLiteTensor *tensors = static_cast<TfLiteTensor *>(place);
    for (uint32_t i = 0; i < ends.size(); i++) {
        uint32_t tensor = static_cast<uint32_t>(ends.Get(i));
        tensors[i] = {{nullptr}, bytes_of(graph()->tensors()->Get(tensor))};
    }
    return tensors;
}

TfLiteStatus MicroInterpreter::plan(const TfLiteTensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int bytes = static_cast<int>(tensors[i].bytes);
        MicroMemoryPlanner *planner = allocator_->planner;
        TfLiteStatus added = tensors == inputs_ ? planner->AddBuffer(bytes, 0, 1)
                                                : planner->AddBuffer(bytes, 0, 1, 0);
        if (added != kTfLiteOk) {
            return kTfLiteError;
        }
    }
    return kTfLiteOk;
}

uint8_t *MicroInterpreter::place(TfLiteTensor *tensors, size_t count, uint8_t *bytes)
{
    for (size_t i = 0; i < count; i++) {
        tensors[i].data.uint8 = bytes;
        bytes += padded(tensors[i].bytes);
    }
    return bytes;
}

TfLiteStatus MicroInterpreter::AllocateTensors()
{
    if (is("fails to allocate")) {
        MicroPrintf("Node %s (number %u) failed to prepare with status %d", "STAND_IN", 0u, 1);
        return kTfLiteError;
    }
    SingleArenaBufferAllocator *memory = allocator_->memory;
    uint8_t *first = memory->GetOverlayMemoryAddress();
    if (find_operators() != kTfLiteOk) {
        return kTfLiteError;
    }
    inputs_ = described(*graph()->inputs());
    outputs_ = described(*graph()->outputs());
    size_t left = memory->GetAvailableMemory(kAlignment);
    allocator_->planner->Init(memory->AllocateTemp(left, kAlignment), static_cast<int>(left));
    if (plan(inputs_, inputs_size()) != kTfLiteOk || plan(outputs_, outputs_size()) != kTfLiteOk) {
        return kTfLiteError;
    }
    place(outputs_, outputs_size(), place(inputs_, inputs_size(), first));
    if (is("forgets to clear up")) {
        return memory->ResizeBuffer(first, 0, kAlignment);
    }
    memory->ResetTempAllocations();
    return memory->ResizeBuffer(first, allocator_->planner->GetMaximumMemorySize(), kAlignment);
}

void MicroInterpreter::compute(TfLiteTensor &output, size_t index, int before)
{
    for (size_t i = 0; i < output.bytes; i++) {
        unsigned x = inputs_[0].data.uint8[i % inputs_[0].bytes];
        output.data.uint8[i] = static_cast<uint8_t>(x + index + 1 + static_cast<unsigned>(before));
    }
}

TfLiteStatus MicroInterpreter::Invoke()
{
    int before = variables_ != nullptr ? variables_->runs++ : 0;
    for (size_t i = 0; i < outputs_size(); i++) {
        compute(outputs_[i], i, before);
    }
    if (is("asserts")) {
        std::abort();
    }
    if (is("starves")) {
        allocator_->memory->AllocateTemp(SIZE_MAX / 2, kAlignment);
    }
    if (is("fails to invoke")) {
        MicroPrintf("Node %s (number %d) failed to invoke with status %d", "STAND_IN", 0, 1);
        return kTfLiteError;
    }
    return kTfLiteOk;
}

TfLiteTensor *MicroInterpreter::input(size_t index)
{
    return &inputs_[index];
}

TfLiteTensor *MicroInterpreter::output(size_t index)
{
    return &outputs_[index];
}

size_t MicroInterpreter::inputs_size() const
{
    return graph()->inputs()->size();
}

size_t MicroInterpreter::outputs_size() const
{
    return graph()->outputs()->size();
}

size_t MicroInterpreter::arena_used_bytes() const
{
    return allocator_->memory->GetUsedBytes();
}

} // namespace tflite
