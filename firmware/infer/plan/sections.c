/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See sections.h. Each function relies on what those before it have proven, in the order of
 * infer_sections_verdict().
 */
#include "infer/plan/sections.h"

#include <string.h>

#include "infer/plan/sizes.h"
#include "infer/plan/tables.h"

_Static_assert(sizeof(plan_tensor_t) == 12 && sizeof(plan_io_t) == 36 && sizeof(plan_state_t) == 8,
               "tables of the format");
_Static_assert(sizeof(float) == 4, "scale is an IEEE single");

/* Header */

/* A section of `bytes` at `offset` starts aligned after `end`, with zeros between, inside the
 * plan; `end` moves behind it. */
static int section_ok(const plan_header_t *plan, uint32_t offset, uint32_t bytes, uint32_t align,
                      uint32_t *end)
{
    const uint8_t *all = (const uint8_t *)plan;
    if (offset % align != 0 || offset < *end || size_add(offset, bytes) > plan->length) {
        return 0;
    }
    for (uint32_t i = *end; i < offset; i++) {
        if (all[i] != 0) {
            return 0;
        }
    }
    *end = offset + bytes;
    return 1;
}

static int sections_ok(const plan_header_t *plan)
{
    uint32_t end = sizeof *plan;
    uint32_t n_io = (uint32_t)plan->n_inputs + plan->n_outputs;
    uint32_t tensor_bytes = plan->n_tensors * (uint32_t)sizeof(plan_tensor_t);
    uint32_t io_bytes = n_io * (uint32_t)sizeof(plan_io_t);
    uint32_t state_bytes = plan->n_states * (uint32_t)sizeof(plan_state_t);
    return section_ok(plan, plan->tensors, tensor_bytes, 4, &end) &&
           section_ok(plan, plan->io, io_bytes, 4, &end) &&
           section_ok(plan, plan->states, state_bytes, 4, &end) &&
           section_ok(plan, plan->ops, plan->ops_bytes, 4, &end) &&
           section_ok(plan, plan->strings, plan->strings_bytes, 4, &end) &&
           section_ok(plan, plan->extra, plan->extra_bytes, 4, &end) &&
           section_ok(plan, plan->data, plan->data_bytes, PLAN_ALIGN, &end) &&
           section_ok(plan, plan->length, 0, PLAN_ALIGN, &end);
}

static int header_ok(const plan_header_t *plan, uint32_t flags)
{
    return (plan->flags & ~flags) == 0 && plan->arena_bytes <= INT32_MAX &&
           plan->n_ops <= PLAN_MAX_OPS && plan->n_tensors <= PLAN_MAX_TENSORS &&
           plan->n_inputs != 0 && plan->n_outputs != 0 && sections_ok(plan);
}

/* Strings */

static int string_ok(const plan_header_t *plan, uint32_t offset)
{
    return offset == PLAN_NO_STRING || offset < plan->strings_bytes;
}

/* The section ends with a NUL, so that a string that starts inside also ends inside. */
static int strings_ok(const plan_header_t *plan)
{
    const char *strings = (const char *)plan + plan->strings;
    if (plan->strings_bytes != 0 && strings[plan->strings_bytes - 1] != '\0') {
        return 0;
    }
    if (!string_ok(plan, plan->name) || !string_ok(plan, plan->labels)) {
        return 0;
    }
    uint32_t found = 0;
    for (uint32_t i = plan->labels; i < plan->strings_bytes && found < plan->n_labels; i++) {
        found += strings[i] == '\0' ? 1u : 0u;
    }
    return found == plan->n_labels;
}

/* Tensors */

static infer_verdict_t check_tensors(const plan_header_t *plan)
{
    const plan_tensor_t *tensors = infer_tensors(plan);
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const plan_tensor_t *t = &tensors[i];
        if (t->bytes == 0 || size_add(t->offset, t->bytes) > plan->arena_bytes ||
            t->first > t->last || t->first > plan->n_ops || t->last > plan->n_ops + 1u) {
            return infer_verdict_at(INFER_E_TENSOR, i);
        }
    }
    return infer_verdict_of(INFER_OK);
}

/* Inputs and outputs */

uint32_t infer_type_bytes(uint32_t type)
{
    static const uint8_t bytes[] = {
        [PLAN_TYPE_INT8] = 1,  [PLAN_TYPE_UINT8] = 1,   [PLAN_TYPE_INT16] = 2,
        [PLAN_TYPE_INT32] = 4, [PLAN_TYPE_FLOAT32] = 4, [PLAN_TYPE_BOOL] = 1,
    };
    return type < sizeof bytes ? bytes[type] : 0;
}

static uint32_t io_bytes(const plan_io_t *io)
{
    uint32_t bytes = infer_type_bytes(io->type);
    for (uint32_t i = 0; i < PLAN_MAX_DIMS; i++) {
        if (io->dims[i] == 0 || (i >= io->rank && io->dims[i] != 1)) {
            return 0;
        }
        bytes = size_mul(bytes, io->dims[i]);
    }
    return bytes;
}

static int zero_point_ok(const plan_io_t *io)
{
    switch (io->type) {
    case PLAN_TYPE_INT8:
        return io->zero_point >= INT8_MIN && io->zero_point <= INT8_MAX;
    case PLAN_TYPE_UINT8:
        return io->zero_point >= 0 && io->zero_point <= UINT8_MAX;
    case PLAN_TYPE_INT16:
        return io->zero_point >= INT16_MIN && io->zero_point <= INT16_MAX;
    case PLAN_TYPE_INT32:
        return 1;
    default:
        return io->zero_point == 0;
    }
}

/* Finite and not negative, decided without floating-point instructions. */
static int scale_ok(const plan_io_t *io)
{
    uint32_t bits;
    memcpy(&bits, &io->scale, sizeof bits);
    return bits < 0x7F800000u;
}

static int io_ok(const plan_header_t *plan, const plan_io_t *io, int is_input)
{
    uint32_t size = infer_type_bytes(io->type);
    if (size == 0 || io->tensor >= plan->n_tensors || io->rank > PLAN_MAX_DIMS) {
        return 0;
    }
    const plan_tensor_t *t = &infer_tensors(plan)[io->tensor];
    int kept = !is_input || (plan->flags & PLAN_FLAG_KEEP_INPUT) != 0;
    return io_bytes(io) == t->bytes && t->offset % size == 0 && plan->arena_align % size == 0 &&
           (!is_input || t->first == 0) && (!kept || t->last == plan->n_ops + 1u) &&
           zero_point_ok(io) && scale_ok(io);
}

/* An input that is listed twice would leave another one unwritten. */
static int listed_before(const plan_io_t *io, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (io[i].tensor == io[index].tensor) {
            return 1;
        }
    }
    return 0;
}

static infer_verdict_t check_io(const plan_header_t *plan)
{
    const plan_io_t *io = infer_io(plan);
    for (uint32_t i = 0; i < (uint32_t)plan->n_inputs + plan->n_outputs; i++) {
        int is_input = i < plan->n_inputs;
        if (!io_ok(plan, &io[i], is_input) || (is_input && listed_before(io, i))) {
            return infer_verdict_at(INFER_E_IO, i);
        }
        if (!string_ok(plan, io[i].name)) {
            return infer_verdict_at(INFER_E_STRING, i);
        }
    }
    return infer_verdict_of(INFER_OK);
}

infer_verdict_t infer_sections_verdict(const plan_header_t *plan, uint32_t flags)
{
    if (!header_ok(plan, flags)) {
        return infer_verdict_of(INFER_E_HEADER);
    }
    if (!strings_ok(plan)) {
        return infer_verdict_of(INFER_E_STRING);
    }
    infer_verdict_t result = check_tensors(plan);
    return result.status == INFER_OK ? check_io(plan) : result;
}
