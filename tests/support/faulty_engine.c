/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * An engine that fails where a test wants it to: the linker sends the calls of infer.h here
 * (--wrap), and what is not to fail goes on to the real one.
 */
#include "hal/cpu.h"
#include "infer/infer.h"

#pragma weak cpu_reset /* for libraries without one, which do not crash */

uint32_t faulty_init;        /* infer_status_t of infer_init(); 0: that of the real one */
uint32_t faulty_invoke;      /* the same of infer_invoke() */
uint32_t faulty_arena;       /* only plans with so many bytes of arena fail; 0: all */
bool faulty_crashes;         /* instead of failing */
const char *faulty_says;     /* of a failure; NULL: nothing */
uint32_t faulty_invocations; /* those that failed included */
static const char *said = "";

infer_status_t __real_infer_init(infer_t *model, const void *plan, size_t length, void *arena,
                                 size_t arena_bytes);
infer_status_t __wrap_infer_init(infer_t *model, const void *plan, size_t length, void *arena,
                                 size_t arena_bytes);
infer_status_t __real_infer_invoke(infer_t *model);
infer_status_t __wrap_infer_invoke(infer_t *model);
const char *__wrap_infer_message(void);
void faulty_reset(void);

/* It works again, and has never failed. */
void faulty_reset(void)
{
    faulty_init = 0;
    faulty_invoke = 0;
    faulty_arena = 0;
    faulty_crashes = false;
    faulty_says = NULL;
    faulty_invocations = 0;
    said = "";
}

static infer_status_t fail(uint32_t status, const plan_header_t *plan)
{
    if (status == INFER_OK || (faulty_arena != 0 && faulty_arena != plan->arena_bytes)) {
        return INFER_OK;
    }
    if (faulty_crashes) {
        cpu_reset();
    }
    said = faulty_says != NULL ? faulty_says : "";
    return (infer_status_t)status;
}

infer_status_t __wrap_infer_init(infer_t *model, const void *plan, size_t length, void *arena,
                                 size_t arena_bytes)
{
    infer_status_t status = fail(faulty_init, (const plan_header_t *)plan);
    return status != INFER_OK ? status : __real_infer_init(model, plan, length, arena, arena_bytes);
}

infer_status_t __wrap_infer_invoke(infer_t *model)
{
    faulty_invocations++;
    infer_status_t status = fail(faulty_invoke, model->plan);
    return status != INFER_OK ? status : __real_infer_invoke(model);
}

const char *__wrap_infer_message(void)
{
    return said;
}
