/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * infer.h with TensorFlow Lite Micro, but for infer_check(), which is in check.c.
 *
 * All memory is the arena, so that nothing is ever freed: the engine lies in its first
 * PLAN_TFLM_BYTES, the interpreter in the tensor arena. A model that is opened anew, or another one
 * in its place, is built over what was there.
 *
 * TensorFlow Lite Micro goes on with a null pointer in some places where its arena is too small.
 * Here it does not get that far: the allocator that it is given leaves by longjmp() from a request
 * that cannot be served. No frame that is left owns anything.
 */
#include <csetjmp>
#include <cstring>
#include <new>

#include "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/compatibility.h"
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "tensorflow/lite/schema/schema_utils.h"

#include "infer/tflm/resolver.h"

extern "C" {
#include "infer/infer.h"
#include "infer/plan/header.h"
#include "infer/plan/tables.h"
#include "infer/tflm/engine.h"
#include "infer/tflm/message.h"
}

namespace
{

/* Where a request for memory that cannot be served leads. */
struct Escape {
    std::jmp_buf *to;

    [[noreturn]] void starved() const
    {
        std::longjmp(*to, 1);
    }
};

/* TensorFlow Lite Micro's allocator, which does not return without memory. Requests for which its
 * sums would wrap around do not reach it. */
class Allocator final : public tflite::SingleArenaBufferAllocator
{
  public:
    Allocator(uint8_t *bytes, size_t count, const Escape &escape)
        : SingleArenaBufferAllocator(bytes, count), escape_(escape)
    {
    }

    uint8_t *AllocatePersistentBuffer(size_t size, size_t alignment) override
    {
        bool wraps = size > reinterpret_cast<uintptr_t>(tail());
        return found(wraps ? nullptr : Base::AllocatePersistentBuffer(size, alignment));
    }

    uint8_t *AllocateTemp(size_t size, size_t alignment) override
    {
        bool wraps = static_cast<intptr_t>(GetAvailableMemory(alignment)) < 0;
        return found(wraps ? nullptr : Base::AllocateTemp(size, alignment));
    }

    TfLiteStatus ResizeBuffer(uint8_t *buffer, size_t size, size_t alignment) override
    {
        TfLiteStatus status = Base::ResizeBuffer(buffer, size, alignment);
        if (status != kTfLiteOk && size > static_cast<size_t>(tail() - GetOverlayMemoryAddress())) {
            escape_.starved();
        }
        return status;
    }

  private:
    TF_LITE_REMOVE_VIRTUAL_DELETE /* not reached: nothing is deleted */

        using Base = tflite::SingleArenaBufferAllocator;

    uint8_t *found(uint8_t *memory) const
    {
        if (memory == nullptr) {
            escape_.starved();
        }
        return memory;
    }

    const Escape &escape_;
};

/* The planner of tensors that share memory. It gets what is left of the arena for its own tables:
 * refusing a tensor is how it says that these do not fit. */
class Planner final : public tflite::GreedyMemoryPlanner
{
  public:
    explicit Planner(const Escape &escape) : escape_(escape)
    {
    }

    TfLiteStatus AddBuffer(int size, int first, int last) override
    {
        return added(Base::AddBuffer(size, first, last));
    }

    TfLiteStatus AddBuffer(int size, int first, int last, int offset) override
    {
        return added(Base::AddBuffer(size, first, last, offset));
    }

  private:
    TF_LITE_REMOVE_VIRTUAL_DELETE /* not reached: nothing is deleted */

        using Base = tflite::GreedyMemoryPlanner;

    TfLiteStatus added(TfLiteStatus status) const
    {
        if (status != kTfLiteOk) {
            escape_.starved();
        }
        return status;
    }

    const Escape &escape_;
};

struct Engine {
    Engine(const tflite::Model *model, uint8_t *tensors, uint32_t bytes)
        : flatbuffer(model), tensor_bytes(bytes), allocator(tensors, bytes, escape), planner(escape)
    {
    }

    const tflite::Model *flatbuffer;
    tflite::MicroInterpreter *interpreter = nullptr;
    uint32_t tensor_bytes;
    infer_status_t status = INFER_E_ENGINE; /* other than INFER_OK: the interpreter is of no use */
    Escape escape = {};
    Allocator allocator;
    Planner planner;
};

static_assert(sizeof(Engine) <= PLAN_TFLM_BYTES, "PLAN_TFLM_BYTES is too small for this version");
static_assert(alignof(Engine) <= PLAN_ALIGN, "the arena is aligned to 16");

Engine *engine_of(const infer_t *model)
{
    return std::launder(reinterpret_cast<Engine *>(model->arena));
}

constexpr uint32_t padded(uint32_t bytes)
{
    return (bytes + PLAN_ALIGN - 1u) & ~(PLAN_ALIGN - 1u);
}

/* What is behind the engine begins here; what it leaves of its bytes goes to the tensor arena. */
constexpr uint32_t ENGINE_BYTES = padded(sizeof(Engine));
constexpr uint32_t SPARE_BYTES = PLAN_TFLM_BYTES - ENGINE_BYTES;

bool keeps_inputs(const plan_header_t *plan)
{
    return (plan->flags & PLAN_FLAG_KEEP_INPUT) != 0;
}

/* Bytes of the first `count` inputs where they are kept. */
uint32_t kept_bytes(const plan_header_t *plan, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += padded(infer_tensors(plan)[infer_io(plan)[i].tensor].bytes);
    }
    return sum;
}

uint8_t *kept_input(const infer_t *model, uint32_t index)
{
    return model->arena + ENGINE_BYTES + kept_bytes(model->plan, index);
}

/* It takes any input or output: where there is no interpreter, what is written or read has to be
 * somewhere. */
uint8_t *tensor_arena(const infer_t *model)
{
    return model->arena + tflm_reserved(model->plan) - SPARE_BYTES;
}

/* What the flatbuffer says of its operators */

tflite::BuiltinOperator code_of(const tflite::Model *flatbuffer, const tflite::Operator *op)
{
    return tflite::GetBuiltinCode(flatbuffer->operator_codes()->Get(op->opcode_index()));
}

/* Calls `visit` with each operator until it returns true; returns whether it did. */
template <typename Visit> bool any_operator(const tflite::Model *flatbuffer, Visit visit)
{
    for (uint32_t g = 0; g < flatbuffer->subgraphs()->size(); g++) {
        const auto *operators = flatbuffer->subgraphs()->Get(g)->operators();
        for (uint32_t i = 0; operators != nullptr && i < operators->size(); i++) {
            if (visit(operators->Get(i))) {
                return true;
            }
        }
    }
    return false;
}

bool lacks_operator(const tflite::Model *flatbuffer)
{
    return any_operator(flatbuffer, [flatbuffer](const tflite::Operator *op) {
        return tflm_resolver().FindOp(code_of(flatbuffer, op)) == nullptr;
    });
}

/* Name of the variable that an operator opens, or NULL. */
const char *variable_name(const tflite::Model *flatbuffer, const tflite::Operator *op)
{
    if (code_of(flatbuffer, op) != tflite::BuiltinOperator_VAR_HANDLE) {
        return nullptr;
    }
    const auto *options = op->builtin_options_as_VarHandleOptions();
    bool named = options != nullptr && options->shared_name() != nullptr;
    return named ? options->shared_name()->c_str() : "";
}

bool named_before(const tflite::Model *flatbuffer, const tflite::Operator *op, const char *name)
{
    bool before = true;
    return any_operator(flatbuffer, [&](const tflite::Operator *other) {
        before = before && other != op;
        const char *known = before ? variable_name(flatbuffer, other) : nullptr;
        return known != nullptr && std::strcmp(known, name) == 0;
    });
}

/* Variables with different names: their table lies in the tensor arena. */
int count_variables(const tflite::Model *flatbuffer)
{
    int count = 0;
    any_operator(flatbuffer, [&](const tflite::Operator *op) {
        const char *name = variable_name(flatbuffer, op);
        count += name != nullptr && !named_before(flatbuffer, op, name) ? 1 : 0;
        return false;
    });
    return count;
}

/* Steps that may starve */

infer_status_t guarded(Engine *engine, infer_status_t (*step)(Engine *))
{
    std::jmp_buf starved;
    engine->escape.to = &starved;
    return setjmp(starved) == 0 ? step(engine) : INFER_E_ARENA;
}

infer_status_t allocate(Engine *engine)
{
    const tflite::Model *flatbuffer = engine->flatbuffer;
    Allocator *allocator = &engine->allocator;
    auto *memory = tflite::MicroAllocator::Create(allocator, &engine->planner);
    int count = count_variables(flatbuffer);
    auto *variables = count != 0 ? tflite::MicroResourceVariables::Create(memory, count) : nullptr;
    uint8_t *place = allocator->AllocatePersistentBuffer(sizeof(tflite::MicroInterpreter),
                                                         alignof(tflite::MicroInterpreter));
    engine->interpreter =
        new (place) tflite::MicroInterpreter(flatbuffer, tflm_resolver(), memory, variables);
    if (engine->interpreter->AllocateTensors() == kTfLiteOk) {
        return INFER_OK;
    }
    return lacks_operator(flatbuffer) ? INFER_E_KERNEL : INFER_E_ENGINE;
}

infer_status_t invoke(Engine *engine)
{
    return engine->interpreter->Invoke() == kTfLiteOk ? INFER_OK : INFER_E_ENGINE;
}

/* The tensors of input and output */

bool is_as_planned(const plan_header_t *plan, const plan_io_t *io, const TfLiteTensor *tensor)
{
    return tensor != nullptr && tensor->data.data != nullptr &&
           tensor->bytes == infer_tensors(plan)[io->tensor].bytes;
}

bool ends_as_planned(const plan_header_t *plan, tflite::MicroInterpreter *interpreter)
{
    const plan_io_t *io = infer_io(plan);
    bool same = interpreter->inputs_size() == plan->n_inputs &&
                interpreter->outputs_size() == plan->n_outputs;
    for (uint32_t i = 0; same && i < plan->n_inputs; i++) {
        same = is_as_planned(plan, io++, interpreter->input(i));
    }
    for (uint32_t i = 0; same && i < plan->n_outputs; i++) {
        same = is_as_planned(plan, io++, interpreter->output(i));
    }
    return same;
}

/* Builds the engine, as if there had not been one. */
infer_status_t start(const infer_t *model, uint32_t tensor_bytes)
{
    const void *flatbuffer = infer_data(model->plan, 0);
    Engine *engine = new (model->arena)
        Engine(tflite::GetModel(flatbuffer), tensor_arena(model), SPARE_BYTES + tensor_bytes);
    if (engine->flatbuffer->version() != TFLITE_SCHEMA_VERSION) {
        return engine->status = INFER_E_VERSION;
    }
    engine->status = guarded(engine, allocate);
    if (engine->status == INFER_OK && !ends_as_planned(model->plan, engine->interpreter)) {
        engine->status = INFER_E_IO;
    }
    return engine->status;
}

void start_anew(const infer_t *model)
{
    start(model, engine_of(model)->tensor_bytes - SPARE_BYTES);
}

void use_kept_inputs(const infer_t *model)
{
    tflite::MicroInterpreter *interpreter = engine_of(model)->interpreter;
    for (uint32_t i = 0; keeps_inputs(model->plan) && i < model->plan->n_inputs; i++) {
        TfLiteTensor *tensor = interpreter->input(i);
        std::memcpy(tensor->data.data, kept_input(model, i), tensor->bytes);
    }
}

} // namespace

extern "C" {

uint32_t tflm_reserved(const plan_header_t *plan)
{
    return PLAN_TFLM_BYTES + (keeps_inputs(plan) ? kept_bytes(plan, plan->n_inputs) : 0);
}

infer_status_t tflm_open(infer_t *model, const plan_header_t *plan, uint8_t *arena,
                         uint32_t tensor_bytes)
{
    model->plan = plan;
    model->arena = arena;
    return start(model, tensor_bytes);
}

uint32_t tflm_used(const infer_t *model)
{
    uint32_t used = static_cast<uint32_t>(engine_of(model)->interpreter->arena_used_bytes());
    return used > SPARE_BYTES ? used - SPARE_BYTES : 0;
}

infer_status_t infer_init(infer_t *model, const void *plan, size_t length, void *arena,
                          size_t arena_bytes)
{
    tflm_message_clear();
    infer_status_t status = infer_check_header(plan, length);
    if (status != INFER_OK) {
        return status;
    }
    const plan_header_t *header = static_cast<const plan_header_t *>(plan);
    uint32_t reserved = tflm_reserved(header);
    if (reinterpret_cast<uintptr_t>(arena) % PLAN_ALIGN != 0) {
        return INFER_E_ALIGN;
    }
    if (arena_bytes < header->arena_bytes || header->arena_bytes < reserved) {
        return INFER_E_ARENA;
    }
    return tflm_open(model, header, static_cast<uint8_t *>(arena), header->arena_bytes - reserved);
}

void infer_reset(infer_t *model)
{
    if ((model->plan->flags & PLAN_FLAG_STATE) != 0) {
        start_anew(model);
    }
}

/* A failed inference may leave the interpreter and what it keeps in any state, so it begins anew:
 * at once, as the next inputs may be written before the next call. */
infer_status_t infer_invoke(infer_t *model)
{
    Engine *engine = engine_of(model);
    if (engine->status != INFER_OK) {
        return engine->status;
    }
    tflm_message_clear();
    use_kept_inputs(model);
    infer_status_t status = guarded(engine, invoke);
    if (status != INFER_OK) {
        start_anew(model);
    }
    return status;
}

void infer_step(infer_t *, uint32_t)
{
}

void *infer_input(infer_t *model, uint32_t index)
{
    Engine *engine = engine_of(model);
    if (infer_input_info(model, index) == nullptr) {
        return nullptr;
    }
    if (keeps_inputs(model->plan)) {
        return kept_input(model, index);
    }
    return engine->status == INFER_OK ? engine->interpreter->input(index)->data.data
                                      : tensor_arena(model);
}

const void *infer_output(const infer_t *model, uint32_t index)
{
    Engine *engine = engine_of(model);
    if (infer_output_info(model, index) == nullptr) {
        return nullptr;
    }
    return engine->status == INFER_OK ? engine->interpreter->output(index)->data.data
                                      : tensor_arena(model);
}

const char *infer_engine(void)
{
    return "tflm";
}
}
