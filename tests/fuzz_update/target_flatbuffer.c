/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Any bytes as a plan for TensorFlow Lite Micro: what infer_check() accepts is then read as
 * TensorFlow Lite Micro reads it, without a look at any bound, in memory that ends with the
 * flatbuffer.
 *
 *     flags, bit 0: the length in the header is made right | plan ...
 */
#define _POSIX_C_SOURCE 200112L

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "infer/tflm/model.h"
#include "infer/tflm/schema.h"

#define MAX_DEPTH 8 /* calls of subgraphs within each other that are followed */

/* A flatbuffer that is believed. */
typedef struct {
    const uint8_t *bytes;
    uint32_t sum; /* of all that was read, so that it is */
} reader_t;

static uint32_t word(const uint8_t *at)
{
    return *(const uint32_t *)at;
}

static const uint8_t *follow(const uint8_t *at)
{
    return at + word(at);
}

static const uint8_t *field(const uint8_t *table, uint32_t number)
{
    const uint8_t *vtable = table - *(const int32_t *)table;
    uint32_t entry = 4 + 2 * number;
    const uint16_t *entries = (const uint16_t *)vtable;
    return entry < entries[0] && entries[entry / 2] != 0 ? table + entries[entry / 2] : NULL;
}

static uint32_t number_of(const uint8_t *table, uint32_t number)
{
    const uint8_t *at = field(table, number);
    return at != NULL ? word(at) : 0;
}

static uint32_t byte_of(const uint8_t *table, uint32_t number)
{
    const uint8_t *at = field(table, number);
    return at != NULL ? *at : 0;
}

static const uint8_t *target_of(const uint8_t *table, uint32_t number)
{
    const uint8_t *at = field(table, number);
    return at != NULL ? follow(at) : NULL;
}

static uint32_t size_of(const uint8_t *vector)
{
    return vector != NULL ? word(vector) : 0;
}

static const uint8_t *element_of(const uint8_t *vector, uint32_t index)
{
    return follow(vector + 4 + 4 * index);
}

static void read_bytes(reader_t *reader, const uint8_t *at, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        reader->sum += at[i];
    }
}

/* Reads all fields of a table, with what they lead to. */
static void read_fields(reader_t *reader, const uint8_t *table, const uint8_t *kinds,
                        uint32_t count)
{
    static const uint32_t elements[] = {[FLAT_BYTES] = 1, [FLAT_WORDS] = 4, [FLAT_LONGS] = 8};
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = field(table, i);
        if (at == NULL || kinds[i] == FLAT_SKIP) {
            continue;
        }
        if (kinds[i] == FLAT_BYTE) {
            reader->sum += *at;
        } else if (kinds[i] == FLAT_WORD || kinds[i] == FLAT_NO_WORD) {
            reader->sum += word(at);
        } else if (kinds[i] == FLAT_TEXT) {
            reader->sum += (uint32_t)strlen((const char *)follow(at) + 4);
        } else if (kinds[i] != FLAT_NO_LONG) {
            read_bytes(reader, follow(at) + 4, word(follow(at)) * elements[kinds[i]]);
        }
    }
}

static void read_tensor(reader_t *reader, const uint8_t *tensor, const uint8_t *buffers)
{
    read_fields(reader, tensor, tensor_fields, TENSOR_FIELDS);
    const uint8_t *shape = target_of(tensor, TENSOR_SHAPE);
    uint32_t type = byte_of(tensor, TENSOR_TYPE);
    uint64_t elements = 1;
    int32_t dims[6];
    memcpy(dims, shape != NULL ? shape + 4 : (const uint8_t *)dims, 4 * size_of(shape));
    for (uint32_t i = 0; i < size_of(shape); i++) {
        elements *= (uint64_t)dims[i];
    }
    const uint8_t *buffer = element_of(buffers, number_of(tensor, TENSOR_BUFFER));
    const uint8_t *data = target_of(buffer, BUFFER_DATA);
    if (size_of(data) != 0) {
        uint64_t bytes = type == TYPE_INT4 ? (elements + 1) / 2 : elements * type_bytes[type];
        read_bytes(reader, data + 4, (uint32_t)bytes);
    }
    const uint8_t *quantization = target_of(tensor, TENSOR_QUANTIZATION);
    if (quantization != NULL) {
        read_fields(reader, quantization, quantization_fields, QUANTIZATION_FIELDS);
    }
}

/* Reads each tensor of a list. */
static void read_list(reader_t *reader, const uint8_t *list, const uint8_t *tensors)
{
    for (uint32_t i = 0; i < size_of(list); i++) {
        int32_t number = (int32_t)word(list + 4 + 4 * i);
        if (number != -1) {
            reader->sum += word(element_of(tensors, (uint32_t)number));
        }
    }
}

static void read_options(reader_t *reader, const uint8_t *operator)
{
    const uint8_t *table = target_of(operator, OPERATOR_OPTIONS);
    for (uint32_t i = 0; table != NULL && i < sizeof options / sizeof *options; i++) {
        if (options[i].type == byte_of(operator, OPERATOR_OPTIONS_TYPE)) {
            read_fields(reader, table, options[i].fields, OPTIONS_MOST_FIELDS);
        }
    }
}

static void read_operators(reader_t *reader, const uint8_t *subgraph, const uint8_t *codes)
{
    const uint8_t *operators = target_of(subgraph, SUBGRAPH_OPERATORS);
    const uint8_t *tensors = target_of(subgraph, SUBGRAPH_TENSORS);
    for (uint32_t i = 0; i < size_of(operators); i++) {
        const uint8_t *operator = element_of(operators, i);
        const uint8_t *code = element_of(codes, number_of(operator, OPERATOR_CODE));
        read_fields(reader, operator, operator_fields, OPERATOR_FIELDS);
        read_fields(reader, code, code_fields, CODE_FIELDS);
        read_list(reader, target_of(operator, OPERATOR_INPUTS), tensors);
        read_list(reader, target_of(operator, OPERATOR_OUTPUTS), tensors);
        read_list(reader, target_of(operator, OPERATOR_INTERMEDIATES), tensors);
        read_options(reader, operator);
    }
}

static void read_subgraph(reader_t *reader, const uint8_t *subgraph, const uint8_t *model)
{
    const uint8_t *tensors = target_of(subgraph, SUBGRAPH_TENSORS);
    for (uint32_t i = 0; i < size_of(tensors); i++) {
        read_tensor(reader, element_of(tensors, i), target_of(model, MODEL_BUFFERS));
    }
    read_list(reader, target_of(subgraph, SUBGRAPH_INPUTS), tensors);
    read_list(reader, target_of(subgraph, SUBGRAPH_OUTPUTS), tensors);
    read_operators(reader, subgraph, target_of(model, MODEL_CODES));
}

/* Which subgraphs the operator calls: as many as are put into `called`. */
static uint32_t calls_of(const uint8_t *operator, const uint8_t *codes, uint32_t called[2])
{
    const uint8_t *code = element_of(codes, number_of(operator, OPERATOR_CODE));
    uint32_t number = number_of(code, CODE_BUILTIN);
    if (number != CODE_IF && number != CODE_WHILE && number != CODE_CALL_ONCE) {
        return 0;
    }
    const uint8_t *table = target_of(operator, OPERATOR_OPTIONS);
    uint32_t count = number == CODE_CALL_ONCE ? 1 : 2;
    for (uint32_t i = 0; i < count; i++) {
        called[i] = number_of(table, i);
    }
    return count;
}

/* Follows calls, depth first, as planning the memory does. */
static void call(const uint8_t *model, uint32_t subgraph, uint32_t depth)
{
    const uint8_t *table = element_of(target_of(model, MODEL_SUBGRAPHS), subgraph);
    const uint8_t *operators = target_of(table, SUBGRAPH_OPERATORS);
    for (uint32_t i = 0; i < size_of(operators) && depth < MAX_DEPTH; i++) {
        uint32_t called[2];
        uint32_t count = calls_of(element_of(operators, i), target_of(model, MODEL_CODES), called);
        for (uint32_t j = 0; j < count; j++) {
            if (called[j] <= subgraph) {
                fuzz_fail("a call comes back");
            }
            call(model, called[j], depth + 1);
        }
    }
}

/* Reads all of an accepted flatbuffer. */
static void read_model(const plan_header_t *plan)
{
    void *memory = NULL;
    if (posix_memalign(&memory, PLAN_ALIGN, plan->data_bytes) != 0) {
        fuzz_fail("no memory");
    }
    memcpy(memory, (const uint8_t *)plan + plan->data, plan->data_bytes);
    reader_t reader = {memory, 0};
    const uint8_t *model = follow(memory);
    const uint8_t *subgraphs = target_of(model, MODEL_SUBGRAPHS);
    const uint8_t *metadata = target_of(model, MODEL_METADATA);
    read_fields(&reader, model, model_fields, MODEL_FIELDS);
    for (uint32_t i = 0; i < size_of(subgraphs); i++) {
        read_subgraph(&reader, element_of(subgraphs, i), model);
    }
    for (uint32_t i = 0; i < size_of(metadata); i++) {
        read_fields(&reader, element_of(metadata, i), metadata_fields, METADATA_FIELDS);
    }
    call(model, 0, 0);
    fuzz_say("the flatbuffer adds up to %u", reader.sum);
    free(memory);
}

static void count(infer_verdict_t verdict)
{
    static const char *const parts[] = {
        [TFLM_PART_FILE] = "file",         [TFLM_PART_MODEL] = "model",
        [TFLM_PART_CODE] = "code",         [TFLM_PART_BUFFER] = "buffer",
        [TFLM_PART_SUBGRAPH] = "subgraph", [TFLM_PART_TENSOR] = "a tensor",
        [TFLM_PART_CONSTANT] = "constant", [TFLM_PART_QUANTIZATION] = "quantization",
        [TFLM_PART_OPERATOR] = "operator", [TFLM_PART_OPTIONS] = "options",
        [TFLM_PART_CALL] = "call",         [TFLM_PART_METADATA] = "metadata",
        [TFLM_PART_COUNT] = "count",
    };
    fuzz_count(verdict.status == INFER_E_MODEL ? parts[verdict.index]
                                               : infer_status_name(verdict.status));
}

const bool fuzz_offsets = true;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    script_t script = {bytes, size};
    bool fixed = (script_byte(&script) & 1) != 0;
    void *plan = NULL;
    if (posix_memalign(&plan, PLAN_ALIGN, script.left + !script.left) != 0) {
        fuzz_fail("no memory");
    }
    memcpy(plan, script.bytes, script.left);
    plan_header_t *header = plan;
    if (fixed && script.left >= sizeof *header) {
        header->length = (uint32_t)script.left;
    }
    infer_verdict_t verdict = infer_check(plan, script.left);
    count(verdict);
    if (verdict.status == INFER_OK) {
        read_model(header);
    }
    free(plan);
    return 0;
}
