/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Our own engine: opening a plan, reaching its inputs and outputs, and walking its operators.
 */
#include "infer/infer.h"

#include <string.h>

#include "infer/kernel.h"
#include "infer/plan/header.h"

#define KERNEL_WORDS (sizeof(((plan_header_t *)0)->kernels) / sizeof(uint32_t))

_Static_assert(PLAN_OP_COUNT <= 32 * KERNEL_WORDS, "kernels[] has a bit for each code");

static int kernels_present(const plan_header_t *header)
{
    for (uint32_t code = 0; code < 32 * KERNEL_WORDS; code++) {
        uint32_t needed = header->kernels[code / 32] >> (code % 32) & 1u;
        if (needed != 0 && infer_find_kernel(code) == NULL) {
            return 0;
        }
    }
    return 1;
}

infer_status_t infer_runs(const plan_header_t *header)
{
    if (header->target != PLAN_TARGET_PORTABLE) {
        return INFER_E_TARGET;
    }
    return kernels_present(header) ? INFER_OK : INFER_E_KERNEL;
}

infer_status_t infer_init(infer_t *model, const void *plan, size_t length, void *arena,
                          size_t arena_bytes)
{
    infer_status_t status = infer_check_header(plan, length);
    if (status != INFER_OK) {
        return status;
    }
    const plan_header_t *header = (const plan_header_t *)plan;
    if ((uintptr_t)arena % header->arena_align != 0) {
        return INFER_E_ALIGN;
    }
    if (arena_bytes < header->arena_bytes) {
        return INFER_E_ARENA;
    }
    model->plan = header;
    model->arena = (uint8_t *)arena;
    infer_reset(model);
    return INFER_OK;
}

void infer_reset(infer_t *model)
{
    const plan_state_t *states = infer_states(model->plan);
    for (uint32_t i = 0; i < model->plan->n_states; i++) {
        void *bytes = infer_tensor(model, states[i].tensor);
        uint32_t count = infer_tensors(model->plan)[states[i].tensor].bytes;
        if (states[i].data == PLAN_NO_DATA) {
            memset(bytes, states[i].fill, count);
        } else {
            memcpy(bytes, infer_data(model->plan, states[i].data), count);
        }
    }
}

static void run(const infer_t *model, const plan_op_t *op)
{
    infer_kernels[op->code]->run(model, op);
}

infer_status_t infer_invoke(infer_t *model)
{
    const plan_op_t *op = infer_first_op(model->plan);
    for (uint32_t i = 0; i < model->plan->n_ops; i++) {
        run(model, op);
        op = infer_next_op(op);
    }
    return INFER_OK;
}

void infer_step(infer_t *model, uint32_t op)
{
    const plan_op_t *record = infer_first_op(model->plan);
    if (op >= model->plan->n_ops) {
        return;
    }
    for (uint32_t i = 0; i < op; i++) {
        record = infer_next_op(record);
    }
    run(model, record);
}

static void *io_address(const infer_t *model, const plan_io_t *io)
{
    return io != NULL ? infer_tensor(model, io->tensor) : NULL;
}

void *infer_input(infer_t *model, uint32_t index)
{
    return io_address(model, infer_input_info(model, index));
}

const void *infer_output(const infer_t *model, uint32_t index)
{
    return io_address(model, infer_output_info(model, index));
}

const char *infer_message(void)
{
    return "";
}

const char *infer_engine(void)
{
    return "torpor";
}
