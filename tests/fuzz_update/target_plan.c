/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Any bytes as a plan: what infer_check() accepts must run within its plan and its arena, each
 * operator writing nothing but what begins to live with it, and states.
 *
 *     flags, bit 0: the length in the header is made right | plan ...
 */
#define _POSIX_C_SOURCE 200112L

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "infer/infer.h"

#define MAX_ARENA 4096 /* what wants more is accepted as it should be, but not run */

static uint8_t *aligned(size_t align, size_t bytes)
{
    void *memory = NULL;
    if (posix_memalign(&memory, align, bytes) != 0) {
        fuzz_fail("no memory");
    }
    return memory;
}

static const plan_tensor_t *tensors_of(const plan_header_t *plan)
{
    return (const plan_tensor_t *)((const uint8_t *)plan + plan->tensors);
}

static void forget(uint8_t *changed, const plan_tensor_t *tensor)
{
    memset(changed + tensor->offset, 0, tensor->bytes);
}

/* Runs an operator; `before` is memory of the arena's size. */
static void step(infer_t *model, const plan_header_t *plan, uint8_t *arena, uint8_t *before,
                 uint32_t op)
{
    const plan_tensor_t *tensors = tensors_of(plan);
    const plan_state_t *states = (const plan_state_t *)((const uint8_t *)plan + plan->states);
    memcpy(before, arena, plan->arena_bytes);
    infer_step(model, op);
    for (uint32_t i = 0; i < plan->arena_bytes; i++) {
        before[i] ^= arena[i];
    }
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        if (tensors[i].first == op + 1) {
            forget(before, &tensors[i]);
        }
    }
    for (uint32_t i = 0; i < plan->n_states; i++) {
        forget(before, &tensors[states[i].tensor]);
    }
    for (uint32_t i = 0; i < plan->arena_bytes; i++) {
        if (before[i] != 0) {
            fuzz_fail("an operator writes where it must not");
        }
    }
}

/* All that an application asks an open model for. */
static void ask(infer_t *model, const plan_header_t *plan, uint32_t *random)
{
    for (uint32_t i = 0; i < plan->n_inputs; i++) {
        uint8_t *input = infer_input(model, i);
        for (uint32_t j = 0; j < infer_input_bytes(model, i); j++) {
            *random = *random * 1664525u + 1013904223u;
            input[j] = (uint8_t)(*random >> 24);
        }
    }
    infer_invoke(model);
    size_t text = infer_name(model) != NULL ? strlen(infer_name(model)) : 0;
    for (uint32_t i = 0; i < plan->n_labels; i++) {
        text += strlen(infer_label(model, i));
    }
    uint32_t sum = (uint32_t)text;
    uint32_t extra_bytes;
    const uint8_t *extra = infer_extra(model, &extra_bytes);
    for (uint32_t i = 0; i < extra_bytes; i++) {
        sum += extra[i];
    }
    for (uint32_t i = 0; i < plan->n_outputs; i++) {
        const uint8_t *output = infer_output(model, i);
        for (uint32_t j = 0; j < infer_output_bytes(model, i); j++) {
            sum += output[j];
        }
    }
    fuzz_say("outputs and names add up to %u", sum);
}

static void run(const plan_header_t *plan, size_t size)
{
    uint32_t bytes = plan->arena_bytes;
    uint8_t *arena = aligned(plan->arena_align < 16 ? 16 : plan->arena_align, bytes + !bytes);
    uint8_t *before = malloc(bytes + 1);
    infer_t model;
    uint32_t random = 1;
    memset(arena, 0x55, bytes);
    if (infer_init(&model, plan, size, arena, bytes) != INFER_OK) {
        fuzz_fail("an accepted plan is not opened");
    }
    for (uint32_t op = 0; op < plan->n_ops; op++) {
        step(&model, plan, arena, before, op);
    }
    infer_reset(&model);
    ask(&model, plan, &random);
    ask(&model, plan, &random);
    free(before);
    free(arena);
}

const bool fuzz_offsets = true;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    script_t script = {bytes, size};
    bool fixed = (script_byte(&script) & 1) != 0;
    uint8_t *plan = aligned(PLAN_ALIGN, script.left + !script.left);
    memcpy(plan, script.bytes, script.left);
    plan_header_t *header = (plan_header_t *)plan;
    if (fixed && script.left >= sizeof *header) {
        header->length = (uint32_t)script.left;
    }
    infer_verdict_t verdict = infer_check(plan, script.left);
    fuzz_count(infer_status_name(verdict.status));
    if (verdict.status == INFER_OK && header->arena_bytes <= MAX_ARENA) {
        run(header, script.left);
    } else if (verdict.status == INFER_OK) {
        fuzz_count("too large to run");
    }
    free(plan);
    return 0;
}
