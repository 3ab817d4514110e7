/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See model.h. Functions that check return the part that is wrong, or TFLM_PART_NONE. Each relies
 * on what those before it have proven, in the order of check_model().
 */
#include "infer/tflm/model.h"

#include <string.h>

#include "infer/plan/sections.h"
#include "infer/plan/sizes.h"
#include "infer/plan/tables.h"
#include "infer/tflm/schema.h"

#define MAX_RANK        6u                         /* of RuntimeShape in TensorFlow Lite Micro */
#define MAX_BYTES       ((uint32_t)INT32_MAX / 2u) /* of all tensors without constants */
#define ARENA_ALIGN     16u
#define NONE_OPTIONAL   0xFFFFFFFFu
#define OFFLINE_HEAD    12u /* bytes of a memory plan before its offsets */
#define OFFLINE_COUNT   2u  /* word of a memory plan with the number of offsets */
#define OFFLINE_UNKNOWN 0xFFFFFFFFu

typedef struct {
    flat_t flat;
    const plan_header_t *plan;
    uint32_t codes; /* vectors of the model */
    uint32_t subgraphs;
    uint32_t buffers;
    uint32_t n_tensors; /* found so far */
    uint32_t n_operators;
    uint32_t arena_bytes;
} model_t;

/* What the checks of a subgraph need. */
typedef struct {
    uint32_t number;
    uint32_t table;
    uint32_t tensors; /* vector */
} subgraph_t;

/* Tensors */

/* The bytes of a constant, a vector; 0 if the tensor is none. */
static uint32_t constant_of(const model_t *model, uint32_t tensor)
{
    const flat_t *flat = &model->flat;
    uint32_t number = flat_word(flat, tensor, TENSOR_BUFFER);
    uint32_t buffer = flat_element(flat, model->buffers, number);
    uint32_t data = flat_follow(flat, buffer, BUFFER_DATA);
    return flat_size(flat, data) != 0 ? data : 0;
}

/* INFER_TOO_BIG also for a negative dimension. */
static uint32_t elements_of(const flat_t *flat, uint32_t shape)
{
    uint32_t elements = 1;
    for (uint32_t i = 0; i < flat_size(flat, shape); i++) {
        uint32_t dimension = flat_number(flat, shape, i);
        if (dimension > INT32_MAX) {
            return INFER_TOO_BIG;
        }
        elements = size_mul(elements, dimension);
    }
    return elements;
}

/* As every vector it is aligned to FLAT_ALIGN, which is enough for its elements. */
static uint32_t check_constant(const model_t *model, uint32_t data, uint32_t type,
                               uint32_t elements)
{
    uint32_t bytes =
        type == TYPE_INT4 ? elements / 2u + elements % 2u : size_mul(elements, type_bytes[type]);
    return bytes <= flat_size(&model->flat, data) ? TFLM_PART_NONE : TFLM_PART_CONSTANT;
}

/* The scales of a tensor with one dimension are those of that one: converters have given biases the
 * number of the filter's. */
static int scales_ok(const flat_t *flat, uint32_t shape, uint32_t scales, uint32_t dimension)
{
    uint32_t rank = flat_size(flat, shape);
    if (scales <= 1) {
        return 1;
    }
    uint32_t place = rank == 1 && dimension < MAX_RANK ? 0 : dimension;
    return place < rank && flat_number(flat, shape, place) == scales;
}

static uint32_t check_quantization(model_t *model, uint32_t tensor, uint32_t shape)
{
    flat_t *flat = &model->flat;
    uint32_t table = flat_follow(flat, tensor, TENSOR_QUANTIZATION);
    if (table == 0) {
        return TFLM_PART_NONE;
    }
    if (!flat_table(flat, table, quantization_fields, QUANTIZATION_FIELDS)) {
        return TFLM_PART_QUANTIZATION;
    }
    uint32_t scales = flat_size(flat, flat_follow(flat, table, QUANTIZATION_SCALE));
    uint32_t dimension = flat_word(flat, table, QUANTIZATION_DIMENSION);
    return scales_ok(flat, shape, scales, dimension) ? TFLM_PART_NONE : TFLM_PART_QUANTIZATION;
}

static uint32_t check_tensor(model_t *model, uint32_t tensor)
{
    flat_t *flat = &model->flat;
    if (!flat_table(flat, tensor, tensor_fields, TENSOR_FIELDS)) {
        return TFLM_PART_TENSOR;
    }
    uint32_t shape = flat_follow(flat, tensor, TENSOR_SHAPE);
    uint32_t type = flat_byte(flat, tensor, TENSOR_TYPE);
    if (flat_size(flat, shape) > MAX_RANK || type >= sizeof type_bytes || type_bytes[type] == 0 ||
        flat_word(flat, tensor, TENSOR_BUFFER) >= flat_size(flat, model->buffers)) {
        return TFLM_PART_TENSOR;
    }
    uint32_t elements = elements_of(flat, shape);
    uint32_t bytes = size_mul(elements, type_bytes[type]);
    if (bytes > MAX_BYTES) {
        return TFLM_PART_TENSOR;
    }
    uint32_t data = constant_of(model, tensor);
    if (data == 0) {
        model->arena_bytes = size_add(model->arena_bytes, bytes);
    }
    uint32_t part = data != 0 ? check_constant(model, data, type, elements) : TFLM_PART_NONE;
    return part == TFLM_PART_NONE ? check_quantization(model, tensor, shape) : part;
}

static uint32_t check_tensors(model_t *model, const subgraph_t *subgraph)
{
    flat_t *flat = &model->flat;
    uint32_t count = flat_size(flat, subgraph->tensors);
    model->n_tensors = size_add(model->n_tensors, count);
    if (model->n_tensors > PLAN_MAX_TENSORS) {
        return TFLM_PART_COUNT;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t part = check_tensor(model, flat_element(flat, subgraph->tensors, i));
        if (part != TFLM_PART_NONE) {
            return part;
        }
    }
    return model->arena_bytes <= MAX_BYTES ? TFLM_PART_NONE : TFLM_PART_COUNT;
}

/* What the numbers of a list of tensors may be. */
enum use { USE_READ, USE_WRITE };

/* TensorFlow Lite Micro moves variables to the arena, whatever their bytes are at first. */
static int is_writable(const model_t *model, uint32_t tensor)
{
    return constant_of(model, tensor) == 0 || flat_byte(&model->flat, tensor, TENSOR_VARIABLE) != 0;
}

/* Is each number of the vector `list` that of a tensor that can be used like that? From number
 * `optional` on there may be -1 instead. */
static int list_ok(model_t *model, const subgraph_t *subgraph, uint32_t list, enum use use,
                   uint32_t optional)
{
    flat_t *flat = &model->flat;
    uint32_t count = flat_size(flat, list);
    if (!flat_spend(flat, count)) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = flat_number(flat, list, i);
        if (i >= optional && number == (uint32_t)-1) {
            continue;
        }
        if (number >= flat_size(flat, subgraph->tensors)) {
            return 0;
        }
        uint32_t tensor = flat_element(flat, subgraph->tensors, number);
        if (use == USE_WRITE && !is_writable(model, tensor)) {
            return 0;
        }
    }
    return 1;
}

/* Operators */

static const options_t *find_options(uint32_t type)
{
    for (uint32_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (options[i].type == type) {
            return &options[i];
        }
    }
    return NULL;
}

/* Options of other types nobody reads. */
static uint32_t check_options(model_t *model, uint32_t operator)
{
    flat_t *flat = &model->flat;
    uint32_t table = flat_follow(flat, operator, OPERATOR_OPTIONS);
    const options_t *found = find_options(flat_byte(flat, operator, OPERATOR_OPTIONS_TYPE));
    if (table == 0 || found == NULL ||
        flat_table(flat, table, found->fields, OPTIONS_MOST_FIELDS)) {
        return TFLM_PART_NONE;
    }
    return TFLM_PART_OPTIONS;
}

/* The options that an operator has if it calls subgraphs, 0 if it does not. */
static uint32_t options_of_caller(int32_t code)
{
    switch (code) {
    case CODE_IF:
        return OPTIONS_IF;
    case CODE_WHILE:
        return OPTIONS_WHILE;
    case CODE_CALL_ONCE:
        return OPTIONS_CALL_ONCE;
    default:
        return 0;
    }
}

/* The operator's code is the larger one of an old and a new field; but when it plans the memory,
 * TensorFlow Lite Micro looks at the new one alone, and into the options without asking. */
static uint32_t check_call(const model_t *model, const subgraph_t *caller, uint32_t operator,
                           int32_t code, int32_t new_code)
{
    const flat_t *flat = &model->flat;
    uint32_t type = options_of_caller(code);
    if (type == 0 && options_of_caller(new_code) == 0) {
        return TFLM_PART_NONE;
    }
    uint32_t table = flat_follow(flat, operator, OPERATOR_OPTIONS);
    if (code != new_code || table == 0 ||
        flat_byte(flat, operator, OPERATOR_OPTIONS_TYPE) != type) {
        return TFLM_PART_CALL;
    }
    uint32_t calls = code == CODE_CALL_ONCE ? 1u : 2u;
    for (uint32_t i = 0; i < calls; i++) {
        uint32_t called = flat_word(flat, table, i);
        if (called <= caller->number || called >= flat_size(flat, model->subgraphs)) {
            return TFLM_PART_CALL;
        }
    }
    return TFLM_PART_NONE;
}

/* Kernels do not ask whether these two vectors are there, nor whether there is a first output. */
static int has_ends(const flat_t *flat, uint32_t inputs, uint32_t outputs, int32_t code)
{
    int input_ok = inputs != 0 || code == CODE_VAR_HANDLE || code == CODE_CALL_ONCE;
    int output_ok =
        flat_size(flat, outputs) != 0 || code == CODE_ASSIGN_VARIABLE || code == CODE_CALL_ONCE;
    return input_ok && output_ok;
}

/* The first input that may be left out: kernels do not ask for those before. */
static uint32_t first_optional(int32_t code)
{
    return code == CODE_SEQUENCE_LSTM ? 9u : 2u;
}

static int ends_ok(model_t *model, const subgraph_t *subgraph, uint32_t operator, int32_t code)
{
    const flat_t *flat = &model->flat;
    uint32_t inputs = flat_follow(flat, operator, OPERATOR_INPUTS);
    uint32_t outputs = flat_follow(flat, operator, OPERATOR_OUTPUTS);
    uint32_t others = flat_follow(flat, operator, OPERATOR_INTERMEDIATES);
    return has_ends(flat, inputs, outputs, code) &&
           list_ok(model, subgraph, inputs, USE_READ, first_optional(code)) &&
           list_ok(model, subgraph, outputs, USE_WRITE, NONE_OPTIONAL) &&
           list_ok(model, subgraph, others, USE_READ, NONE_OPTIONAL);
}

static uint32_t check_operator(model_t *model, const subgraph_t *subgraph, uint32_t operator)
{
    flat_t *flat = &model->flat;
    if (!flat_table(flat, operator, operator_fields, OPERATOR_FIELDS)) {
        return TFLM_PART_OPERATOR;
    }
    uint32_t number = flat_word(flat, operator, OPERATOR_CODE);
    if (number >= flat_size(flat, model->codes)) {
        return TFLM_PART_OPERATOR;
    }
    uint32_t table = flat_element(flat, model->codes, number);
    int32_t new_code = (int32_t)flat_word(flat, table, CODE_BUILTIN);
    int32_t old_code = (int8_t)flat_byte(flat, table, CODE_DEPRECATED);
    int32_t code = new_code > old_code ? new_code : old_code;
    if (!ends_ok(model, subgraph, operator, code)) {
        return TFLM_PART_OPERATOR;
    }
    uint32_t part = check_options(model, operator);
    return part == TFLM_PART_NONE ? check_call(model, subgraph, operator, code, new_code) : part;
}

static uint32_t check_operators(model_t *model, const subgraph_t *subgraph)
{
    flat_t *flat = &model->flat;
    uint32_t operators = flat_follow(flat, subgraph->table, SUBGRAPH_OPERATORS);
    model->n_operators = size_add(model->n_operators, flat_size(flat, operators));
    if (model->n_operators > PLAN_MAX_OPS) {
        return TFLM_PART_COUNT;
    }
    for (uint32_t i = 0; i < flat_size(flat, operators); i++) {
        uint32_t part = check_operator(model, subgraph, flat_element(flat, operators, i));
        if (part != TFLM_PART_NONE) {
            return part;
        }
    }
    return TFLM_PART_NONE;
}

/* Subgraphs */

/* Inputs are written by whoever calls. */
static uint32_t check_subgraph(model_t *model, uint32_t number, uint32_t table)
{
    flat_t *flat = &model->flat;
    if (!flat_table(flat, table, subgraph_fields, SUBGRAPH_FIELDS)) {
        return TFLM_PART_SUBGRAPH;
    }
    subgraph_t subgraph = {number, table, flat_follow(flat, table, SUBGRAPH_TENSORS)};
    uint32_t inputs = flat_follow(flat, table, SUBGRAPH_INPUTS);
    uint32_t outputs = flat_follow(flat, table, SUBGRAPH_OUTPUTS);
    if (subgraph.tensors == 0 || inputs == 0 || outputs == 0) {
        return TFLM_PART_SUBGRAPH;
    }
    uint32_t part = check_tensors(model, &subgraph);
    if (part != TFLM_PART_NONE) {
        return part;
    }
    if (!list_ok(model, &subgraph, inputs, USE_WRITE, NONE_OPTIONAL) ||
        !list_ok(model, &subgraph, outputs, USE_READ, NONE_OPTIONAL)) {
        return TFLM_PART_SUBGRAPH;
    }
    return check_operators(model, &subgraph);
}

static uint32_t check_subgraphs(model_t *model)
{
    const flat_t *flat = &model->flat;
    for (uint32_t i = 0; i < flat_size(flat, model->subgraphs); i++) {
        uint32_t part = check_subgraph(model, i, flat_element(flat, model->subgraphs, i));
        if (part != TFLM_PART_NONE) {
            return part;
        }
    }
    return TFLM_PART_NONE;
}

/* Metadata */

static int text_is(const flat_t *flat, uint32_t text, const char *wanted)
{
    size_t length = strlen(wanted);
    return flat_size(flat, text) == length && memcmp(flat->bytes + text + 4, wanted, length) == 0;
}

/* A memory plan: two words, the number of tensors, and for each where it lies in the arena. */
static uint32_t check_offline_plan(model_t *model, uint32_t number)
{
    flat_t *flat = &model->flat;
    if (number >= flat_size(flat, model->buffers)) {
        return TFLM_PART_METADATA;
    }
    uint32_t buffer = flat_element(flat, model->buffers, number);
    uint32_t data = flat_follow(flat, buffer, BUFFER_DATA);
    if (flat_size(flat, data) < OFFLINE_HEAD + 4u * model->n_tensors ||
        flat_number(flat, data, OFFLINE_COUNT) != model->n_tensors ||
        !flat_spend(flat, model->n_tensors)) {
        return TFLM_PART_METADATA;
    }
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        uint32_t offset = flat_number(flat, data, OFFLINE_COUNT + 1u + i);
        if (offset != OFFLINE_UNKNOWN &&
            (offset % ARENA_ALIGN != 0 || offset > model->plan->arena_bytes)) {
            return TFLM_PART_METADATA;
        }
    }
    return TFLM_PART_NONE;
}

static uint32_t check_metadata(model_t *model, uint32_t root)
{
    flat_t *flat = &model->flat;
    uint32_t all = flat_follow(flat, root, MODEL_METADATA);
    for (uint32_t i = 0; i < flat_size(flat, all); i++) {
        uint32_t table = flat_element(flat, all, i);
        if (!flat_table(flat, table, metadata_fields, METADATA_FIELDS)) {
            return TFLM_PART_METADATA;
        }
        uint32_t name = flat_follow(flat, table, METADATA_NAME);
        uint32_t part = TFLM_PART_NONE;
        if (text_is(flat, name, "OfflineMemoryAllocation")) {
            part = check_offline_plan(model, flat_word(flat, table, METADATA_BUFFER));
        } else if (text_is(flat, name, "COMPRESSION_METADATA")) {
            part = TFLM_PART_METADATA;
        }
        if (part != TFLM_PART_NONE) {
            return part;
        }
    }
    return TFLM_PART_NONE;
}

/* The model */

/* Is each table that the vector `all` leads to sound? */
static int tables_ok(flat_t *flat, uint32_t all, const uint8_t *kinds, uint32_t count)
{
    for (uint32_t i = 0; i < flat_size(flat, all); i++) {
        if (!flat_table(flat, flat_element(flat, all, i), kinds, count)) {
            return 0;
        }
    }
    return 1;
}

static uint32_t check_model(model_t *model, uint32_t root)
{
    flat_t *flat = &model->flat;
    model->codes = flat_follow(flat, root, MODEL_CODES);
    model->subgraphs = flat_follow(flat, root, MODEL_SUBGRAPHS);
    model->buffers = flat_follow(flat, root, MODEL_BUFFERS);
    if (flat_size(flat, model->subgraphs) == 0 || model->buffers == 0) {
        return TFLM_PART_MODEL;
    }
    if (!tables_ok(flat, model->codes, code_fields, CODE_FIELDS)) {
        return TFLM_PART_CODE;
    }
    if (!tables_ok(flat, model->buffers, buffer_fields, BUFFER_FIELDS)) {
        return TFLM_PART_BUFFER;
    }
    uint32_t part = check_subgraphs(model);
    return part == TFLM_PART_NONE ? check_metadata(model, root) : part;
}

/* Inputs and outputs */

static int io_ok(const flat_t *flat, uint32_t tensor, const plan_io_t *io)
{
    uint32_t shape = flat_follow(flat, tensor, TENSOR_SHAPE);
    uint32_t type = flat_byte(flat, tensor, TENSOR_TYPE);
    if (type >= sizeof plan_types || plan_types[type] != io->type ||
        flat_size(flat, shape) != io->rank) {
        return 0;
    }
    for (uint32_t i = 0; i < io->rank; i++) {
        if (flat_number(flat, shape, i) != io->dims[i]) {
            return 0;
        }
    }
    return 1;
}

/* `first` is the number of the first of these inputs or outputs among those of the plan. */
static infer_verdict_t check_ends(const model_t *model, uint32_t field, uint32_t first,
                                  uint32_t count)
{
    const flat_t *flat = &model->flat;
    uint32_t subgraph = flat_element(flat, model->subgraphs, 0);
    uint32_t tensors = flat_follow(flat, subgraph, SUBGRAPH_TENSORS);
    uint32_t list = flat_follow(flat, subgraph, field);
    if (flat_size(flat, list) != count) {
        return infer_verdict_of(INFER_E_IO);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tensor = flat_element(flat, tensors, flat_number(flat, list, i));
        if (!io_ok(flat, tensor, &infer_io(model->plan)[first + i])) {
            return infer_verdict_at(INFER_E_IO, first + i);
        }
    }
    return infer_verdict_of(INFER_OK);
}

static infer_verdict_t wrong(uint32_t part)
{
    return infer_verdict_at(INFER_E_MODEL, part);
}

infer_verdict_t tflm_model_verdict(const plan_header_t *plan)
{
    const uint8_t *bytes = infer_data(plan, 0);
    model_t model = {.flat = {bytes, plan->data_bytes, plan->data_bytes}, .plan = plan};
    flat_t *flat = &model.flat;
    if (flat->length < 8 || memcmp(bytes + 4, "TFL3", 4) != 0) {
        return wrong(TFLM_PART_FILE);
    }
    uint32_t root = *(const uint32_t *)bytes;
    if (!flat_table(flat, root, model_fields, MODEL_FIELDS)) {
        return wrong(TFLM_PART_MODEL);
    }
    if (flat_word(flat, root, MODEL_VERSION) != SCHEMA_VERSION) {
        return infer_verdict_of(INFER_E_VERSION);
    }
    uint32_t part = check_model(&model, root);
    if (part != TFLM_PART_NONE) {
        return wrong(part);
    }
    infer_verdict_t result = check_ends(&model, SUBGRAPH_INPUTS, 0, plan->n_inputs);
    if (result.status != INFER_OK) {
        return result;
    }
    return check_ends(&model, SUBGRAPH_OUTPUTS, plan->n_inputs, plan->n_outputs);
}
