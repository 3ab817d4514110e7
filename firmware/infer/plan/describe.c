/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What an open model is: its inputs and outputs, names, and what travels with it. The same for
 * every engine.
 */
#include "infer/infer.h"
#include "infer/plan/tables.h"

const plan_io_t *infer_input_info(const infer_t *model, uint32_t index)
{
    return index < model->plan->n_inputs ? infer_io(model->plan) + index : NULL;
}

const plan_io_t *infer_output_info(const infer_t *model, uint32_t index)
{
    const plan_header_t *plan = model->plan;
    return index < plan->n_outputs ? infer_io(plan) + plan->n_inputs + index : NULL;
}

static uint32_t io_bytes(const infer_t *model, const plan_io_t *io)
{
    return io != NULL ? infer_tensors(model->plan)[io->tensor].bytes : 0;
}

uint32_t infer_input_bytes(const infer_t *model, uint32_t index)
{
    return io_bytes(model, infer_input_info(model, index));
}

uint32_t infer_output_bytes(const infer_t *model, uint32_t index)
{
    return io_bytes(model, infer_output_info(model, index));
}

static const char *string_at(const plan_header_t *plan, uint32_t offset)
{
    if (offset == PLAN_NO_STRING) {
        return NULL;
    }
    return (const char *)plan + plan->strings + offset;
}

const char *infer_name(const infer_t *model)
{
    return string_at(model->plan, model->plan->name);
}

const char *infer_label(const infer_t *model, uint32_t index)
{
    if (index >= model->plan->n_labels) {
        return NULL;
    }
    const char *label = string_at(model->plan, model->plan->labels);
    for (uint32_t i = 0; i < index; i++) {
        while (*label != '\0') {
            label++;
        }
        label++;
    }
    return label;
}

const void *infer_extra(const infer_t *model, uint32_t *bytes)
{
    *bytes = model->plan->extra_bytes;
    return *bytes != 0 ? (const uint8_t *)model->plan + model->plan->extra : NULL;
}

const char *infer_status_name(infer_status_t status)
{
    static const char *const names[INFER_STATUS_COUNT] = {
        [INFER_OK] = "ok",           [INFER_E_MAGIC] = "magic",   [INFER_E_VERSION] = "version",
        [INFER_E_TARGET] = "target", [INFER_E_LENGTH] = "length", [INFER_E_ALIGN] = "align",
        [INFER_E_ARENA] = "arena",   [INFER_E_KERNEL] = "kernel", [INFER_E_HEADER] = "header",
        [INFER_E_TENSOR] = "tensor", [INFER_E_IO] = "io",         [INFER_E_RECORD] = "record",
        [INFER_E_SHAPE] = "shape",   [INFER_E_RANGE] = "range",   [INFER_E_DATA] = "data",
        [INFER_E_ALIAS] = "alias",   [INFER_E_STRING] = "string", [INFER_E_STATE] = "state",
        [INFER_E_MODEL] = "model",   [INFER_E_ENGINE] = "engine",
    };
    return (uint32_t)status < INFER_STATUS_COUNT ? names[status] : "unknown";
}
