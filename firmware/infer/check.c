/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * infer_check() of our own engine: the proof that a plan is safe, section by section. Each function
 * relies on what those before it have proven, in the order of infer_check().
 */
#include "infer/infer.h"

#include "infer/kernel.h"
#include "infer/ops/ops.h"
#include "infer/overlap.h"
#include "infer/plan/header.h"
#include "infer/plan/sections.h"
#include "infer/plan/sizes.h"

/* Tensors */

/* What lives from the start on are the inputs and the states. */
static infer_verdict_t check_start(const plan_header_t *plan)
{
    const plan_tensor_t *tensors = infer_tensors(plan);
    uint32_t at_start = 0;
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        at_start += tensors[i].first == 0 ? 1u : 0u;
    }
    if (at_start != (uint32_t)plan->n_inputs + plan->n_states) {
        return infer_verdict_of(INFER_E_TENSOR);
    }
    return infer_verdict_of(INFER_OK);
}

/* States */

static int state_ok(const plan_header_t *plan, const plan_state_t *state)
{
    if (state->tensor >= plan->n_tensors || state->reserved != 0) {
        return 0;
    }
    const plan_tensor_t *t = &infer_tensors(plan)[state->tensor];
    int filled = state->data == PLAN_NO_DATA;
    return t->first == 0 && t->last == plan->n_ops + 1u &&
           (filled || (state->fill == 0 && size_add(state->data, t->bytes) <= plan->data_bytes));
}

/* Is `tensor` the state of one of the first `count` records? */
static int is_state(const plan_header_t *plan, uint32_t count, uint32_t tensor)
{
    const plan_state_t *states = infer_states(plan);
    for (uint32_t i = 0; i < count; i++) {
        if (states[i].tensor == tensor) {
            return 1;
        }
    }
    return 0;
}

static infer_verdict_t check_states(const plan_header_t *plan)
{
    const plan_state_t *states = infer_states(plan);
    for (uint32_t i = 0; i < plan->n_states; i++) {
        if (!state_ok(plan, &states[i]) || is_state(plan, i, states[i].tensor)) {
            return infer_verdict_at(INFER_E_STATE, i);
        }
    }
    for (uint32_t i = 0; i < plan->n_inputs; i++) {
        if (is_state(plan, plan->n_states, infer_io(plan)[i].tensor)) {
            return infer_verdict_at(INFER_E_IO, i);
        }
    }
    return infer_verdict_of(INFER_OK);
}

/* Operators */

/* The steps at which the operator of `step` may use tensor `t`, by its role: inputs live before it
 * and in it, the output begins to live there, and states live always. */
static int steps_ok(const plan_header_t *plan, const infer_uses_t *uses, uint32_t i, uint32_t step)
{
    const plan_tensor_t *t = &infer_tensors(plan)[uses->tensor[i]];
    if (i < uses->inputs) {
        return t->first < step && t->last >= step;
    }
    if (i < (uint32_t)uses->inputs + uses->outputs) {
        return t->first == step;
    }
    return is_state(plan, plan->n_states, uses->tensor[i]);
}

/* Is a state of this operator also something else of it? Its kernel reads and writes that while it
 * works on the others. */
static int state_twice(const infer_uses_t *uses, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++) {
        if (uses->tensor[j] == uses->tensor[i]) {
            return 1;
        }
    }
    return 0;
}

static int aligned(const plan_header_t *plan, uint32_t offset, uint32_t align)
{
    return align == 0 || (offset % align == 0 && plan->arena_align % align == 0);
}

static infer_status_t check_steps(const plan_header_t *plan, const infer_uses_t *uses,
                                  uint32_t step)
{
    uint32_t first_state = (uint32_t)uses->inputs + uses->outputs;
    for (uint32_t i = 0; i < first_state + uses->states; i++) {
        if (uses->tensor[i] >= plan->n_tensors) {
            return INFER_E_RECORD;
        }
        const plan_tensor_t *t = &infer_tensors(plan)[uses->tensor[i]];
        if (t->bytes != uses->bytes[i]) {
            return INFER_E_SHAPE;
        }
        if (!steps_ok(plan, uses, i, step) || !aligned(plan, t->offset, uses->align[i])) {
            return INFER_E_TENSOR;
        }
        if (i >= first_state && state_twice(uses, i)) {
            return INFER_E_ALIAS;
        }
    }
    return INFER_OK;
}

static int share_bytes(const plan_tensor_t *a, const plan_tensor_t *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* May the output y of `op` share bytes with its first input x? */
static int overlap_ok(const plan_op_t *op, const plan_tensor_t *x, const plan_tensor_t *y)
{
    if ((op->flags & PLAN_OP_OVERLAP) == 0 || x->last != y->first) {
        return 0;
    }
    return (int64_t)x->offset - y->offset >= infer_overlap_distance(op);
}

/* No other tensor that is alive at `step` shares bytes with the output written there, except as
 * proven harmless. Every pair of tensors alive at once meets here when the later one is written. */
static int alias_ok(const plan_header_t *plan, const plan_op_t *op, const infer_uses_t *uses,
                    uint32_t step)
{
    if (uses->outputs == 0) {
        return 1;
    }
    const plan_tensor_t *tensors = infer_tensors(plan);
    const plan_tensor_t *x = &tensors[uses->tensor[0]];
    const plan_tensor_t *y = &tensors[uses->tensor[uses->inputs]];
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const plan_tensor_t *t = &tensors[i];
        int alive = t->first <= step && step <= t->last && t != y;
        if (alive && share_bytes(t, y) && !(t == x && overlap_ok(op, x, y))) {
            return 0;
        }
    }
    return 1;
}

/* All inputs and states are alive at step 0. */
static infer_verdict_t check_start_aliases(const plan_header_t *plan)
{
    const plan_tensor_t *tensors = infer_tensors(plan);
    for (uint32_t i = 1; i < plan->n_tensors; i++) {
        for (uint32_t j = 0; tensors[i].first == 0 && j < i; j++) {
            if (tensors[j].first == 0 && share_bytes(&tensors[i], &tensors[j])) {
                return infer_verdict_at(INFER_E_ALIAS, i);
            }
        }
    }
    return infer_verdict_of(INFER_OK);
}

/* Adds what the operator writes to `written`. */
static infer_status_t check_op(const plan_header_t *plan, const plan_op_t *op, uint32_t left,
                               uint32_t step, uint32_t *written)
{
    if (left < sizeof *op) {
        return INFER_E_RECORD;
    }
    const infer_kernel_t *kernel = infer_find_kernel(op->code);
    if (kernel == NULL) {
        return INFER_E_KERNEL;
    }
    if (op->words != kernel->words || left < 4u * op->words ||
        (op->flags & ~(uint32_t)kernel->flags) != 0) {
        return INFER_E_RECORD;
    }
    infer_uses_t uses = {0};
    infer_status_t status = kernel->check(plan, op, &uses);
    if (status == INFER_OK) {
        status = check_steps(plan, &uses, step);
    }
    if (status == INFER_OK && !alias_ok(plan, op, &uses, step)) {
        status = INFER_E_ALIAS;
    }
    *written += uses.outputs;
    return status;
}

static infer_verdict_t check_ops(const plan_header_t *plan)
{
    const plan_op_t *op = infer_first_op(plan);
    uint32_t left = plan->ops_bytes;
    uint32_t kernels[4] = {0};
    uint32_t written = plan->n_inputs + (uint32_t)plan->n_states;
    for (uint32_t i = 0; i < plan->n_ops; i++) {
        infer_status_t status = check_op(plan, op, left, i + 1, &written);
        if (status != INFER_OK) {
            return infer_verdict_at(status, i);
        }
        kernels[op->code / 32] |= 1u << (op->code % 32);
        left -= 4u * op->words;
        op = infer_next_op(op);
    }
    for (uint32_t i = 0; i < 4; i++) {
        if (kernels[i] != plan->kernels[i]) {
            return infer_verdict_of(INFER_E_HEADER);
        }
    }
    if (left != 0) {
        return infer_verdict_of(INFER_E_HEADER);
    }
    /* Each tensor is an input, a state, or written by exactly one operator: no two operators have
     * the same step, so that none is written twice. */
    if (written != plan->n_tensors) {
        return infer_verdict_of(INFER_E_TENSOR);
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
    infer_verdict_t result = infer_sections_verdict(header, PLAN_FLAG_KEEP_INPUT);
    if (result.status == INFER_OK) {
        result = check_start(header);
    }
    if (result.status == INFER_OK) {
        result = check_states(header);
    }
    if (result.status == INFER_OK) {
        result = check_start_aliases(header);
    }
    if (result.status == INFER_OK) {
        result = check_ops(header);
    }
    return result;
}
