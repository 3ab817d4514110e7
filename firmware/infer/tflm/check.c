/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * infer_check() for TensorFlow Lite Micro: the container, then its flatbuffer (model.h, where it
 * says what that proves and what not).
 */
#include "infer/infer.h"

#include "infer/plan/header.h"
#include "infer/plan/sections.h"
#include "infer/plan/sizes.h"
#include "infer/plan/tables.h"
#include "infer/tflm/model.h"
#include "infer/tflm/resolver.h"

#define ARENA_ALIGN 16u

infer_status_t infer_runs(const plan_header_t *header)
{
    if (header->target != PLAN_TARGET_TFLM) {
        return INFER_E_TARGET;
    }
    for (uint32_t i = 0; i < 4; i++) {
        if ((header->kernels[i] & ~tflm_registrations[i]) != 0) {
            return INFER_E_KERNEL;
        }
    }
    return INFER_OK;
}

/* Bytes of the arena before TensorFlow Lite Micro's own. */
static uint32_t bytes_before(const plan_header_t *plan)
{
    uint32_t bytes = PLAN_TFLM_BYTES;
    uint32_t kept = (plan->flags & PLAN_FLAG_KEEP_INPUT) != 0 ? plan->n_inputs : 0;
    for (uint32_t i = 0; i < kept; i++) {
        uint32_t filled = (infer_tensors(plan)[i].bytes + ARENA_ALIGN - 1u) & ~(ARENA_ALIGN - 1u);
        bytes = size_add(bytes, filled);
    }
    return bytes;
}

/* No int of TensorFlow Lite Micro overflows where it adds an offset in the arena to a tensor. */
static int arena_ok(const plan_header_t *plan)
{
    return plan->arena_align >= ARENA_ALIGN && plan->arena_bytes <= INT32_MAX / 2 &&
           bytes_before(plan) <= plan->arena_bytes;
}

static infer_verdict_t check_container(const plan_header_t *plan)
{
    uint32_t n_io = (uint32_t)plan->n_inputs + plan->n_outputs;
    if (plan->n_ops != 0 || plan->n_states != 0 || plan->ops_bytes != 0 ||
        plan->n_tensors != n_io || !arena_ok(plan)) {
        return infer_verdict_of(INFER_E_HEADER);
    }
    for (uint32_t i = 0; i < n_io; i++) {
        const plan_tensor_t *tensor = &infer_tensors(plan)[i];
        if (tensor->offset != 0 || tensor->first != 0 || tensor->last != 1) {
            return infer_verdict_at(INFER_E_TENSOR, i);
        }
        if (infer_io(plan)[i].tensor != i) {
            return infer_verdict_at(INFER_E_IO, i);
        }
    }
    return infer_verdict_of(INFER_OK);
}

infer_verdict_t infer_check(const void *plan, size_t length)
{
    const plan_header_t *header = (const plan_header_t *)plan;
    infer_status_t status = infer_check_header(plan, length);
    if (status != INFER_OK) {
        return infer_verdict_of(status);
    }
    infer_verdict_t result = infer_sections_verdict(header, PLAN_FLAG_KEEP_INPUT | PLAN_FLAG_STATE);
    if (result.status == INFER_OK) {
        result = check_container(header);
    }
    return result.status == INFER_OK ? tflm_model_verdict(header) : result;
}
