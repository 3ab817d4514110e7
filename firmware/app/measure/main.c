/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Measures the tensor arena and the stack that the built-in model needs, prints one of these lines,
 * and stops:
 *     measured arena=<bytes> used=<bytes> stack=<bytes>
 *     failed: <status> <what TensorFlow Lite Micro said>
 * The build runs it on an emulated core. Nothing interrupts it, so that equal programs say the
 * same. The stack is that of the whole program, of which this file has less than 200 bytes.
 */
#include "app/model.h"
#include "core/text.h"
#include "hal/cpu.h"
#include "hal/restart.h"
#include "hal/uart.h"
#include "infer/infer.h"
#include "infer/tflm/measure.h"

static void print(text_t *text)
{
    text_end(text);
    uart_write(text->bytes, text->length);
}

static void append(text_t *text, const char *name, uint32_t number)
{
    text_string(text, name);
    text_uint(text, number);
}

/* The message may be as long as a text. */
static void print_failure(infer_status_t status)
{
    text_t text = {0};
    text_string(&text, "failed: ");
    text_string(&text, infer_status_name(status));
    text_string(&text, " ");
    uart_write(text.bytes, text.length);
    text = (text_t){0};
    text_string(&text, infer_message());
    print(&text);
}

static void print_fault(uint32_t exception, uint32_t pc)
{
    text_t text = {0};
    append(&text, "failed: exception ", exception);
    text_string(&text, " at ");
    text_hex(&text, pc);
    print(&text);
}

static void measure(void)
{
    infer_verdict_t verdict = infer_check(torpor_plan, torpor_plan_length);
    if (verdict.status != INFER_OK) {
        print_failure(verdict.status);
        return;
    }
    tflm_measured_t found = tflm_measure(torpor_plan, model_arena, model_arena_bytes);
    if (found.status != INFER_OK) {
        print_failure(found.status);
        return;
    }
    text_t text = {0};
    append(&text, "measured arena=", found.arena);
    append(&text, " used=", found.used);
    append(&text, " stack=", cpu_stack_used());
    print(&text);
}

void uart_on_receive(uint8_t byte)
{
    (void)byte;
}

int main(void)
{
    uart_start();
    restart_t restart = restart_take();
    if (restart.reason == RESTART_FAULT) { /* the run before has failed a check, or ran wild */
        print_fault(restart.exception, restart.pc);
    } else {
        measure();
    }
    for (;;) {
        cpu_sleep();
    }
}
