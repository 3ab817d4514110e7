/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See engine.h. infer_init() and infer_invoke() go through device.c, which lets them fail.
 */
#include "engine.h"

#include "scenario.h"

infer_verdict_t __real_infer_check(const void *plan, size_t length);
infer_status_t __real_infer_init(infer_t *model, const void *plan, size_t length, void *arena,
                                 size_t arena_bytes);
void __real_infer_reset(infer_t *model);
infer_status_t __real_infer_invoke(infer_t *model);
void *__real_infer_input(infer_t *model, uint32_t index);

infer_verdict_t __wrap_infer_check(const void *plan, size_t length);
void __wrap_infer_reset(infer_t *model);
void *__wrap_infer_input(infer_t *model, uint32_t index);

const engine_t engine_torpor = {
    .check = __real_infer_check,
    .init = __real_infer_init,
    .reset = __real_infer_reset,
    .invoke = __real_infer_invoke,
    .input = __real_infer_input,
};

static const engine_t *const engines[ENGINE_COUNT] = {
    [ENGINE_TORPOR] = &engine_torpor,
    [ENGINE_TFLM] = &engine_tflm,
};

static const engine_t *chosen = &engine_torpor;

void engine_choose(uint32_t engine)
{
    chosen = engines[engine];
}

const engine_t *engine_chosen(void)
{
    return chosen;
}

infer_verdict_t __wrap_infer_check(const void *plan, size_t length)
{
    return chosen->check(plan, length);
}

void __wrap_infer_reset(infer_t *model)
{
    chosen->reset(model);
}

void *__wrap_infer_input(infer_t *model, uint32_t index)
{
    return chosen->input(model, index);
}
