/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The engine as a process: takes commands on stdin, answers on stdout (tests/tflm/runner.py). Plans
 * and arenas have exactly the bytes that they need, so that a sanitizer sees a step beside them.
 */
#define _POSIX_C_SOURCE 200112L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/infer.h"
#include "infer/tflm/engine.h"
#include "infer/tflm/measure.h"
#include "infer/tflm/message.h"

#define MODELS 3

typedef struct {
    infer_t model;
    void *plan;
    uint32_t plan_bytes;
    void *arena;
    uint32_t arena_bytes;
} open_t;

static open_t opened[MODELS];

static void take(void *bytes, size_t count)
{
    if (fread(bytes, 1, count, stdin) != count) {
        exit(0);
    }
}

static uint32_t take_word(void)
{
    uint32_t word;
    take(&word, sizeof word);
    return word;
}

static void give(const void *bytes, size_t count)
{
    fwrite(bytes, 1, count, stdout);
}

static void give_word(uint32_t word)
{
    give(&word, sizeof word);
}

static void *aligned(size_t bytes)
{
    void *place = NULL;
    if (posix_memalign(&place, PLAN_ALIGN, bytes != 0 ? bytes : 1) != 0) {
        abort();
    }
    return place;
}

static void answer(infer_status_t status)
{
    char message[96] = {0};
    strncpy(message, infer_message(), sizeof message - 1);
    give_word((uint32_t)status);
    give(message, sizeof message);
}

/* Takes a plan: a copy that starts at a multiple of 16. */
static void take_plan(open_t *at)
{
    free(at->plan);
    at->plan_bytes = take_word();
    at->plan = aligned(at->plan_bytes);
    take(at->plan, at->plan_bytes);
}

/* An arena full of what nobody has written; the same as before if it is to be as large. */
static void take_arena(open_t *at)
{
    uint32_t bytes = take_word();
    if (at->arena == NULL || bytes != at->arena_bytes) {
        free(at->arena);
        at->arena = aligned(bytes);
        memset(at->arena, 0xA5, bytes);
    }
    at->arena_bytes = bytes;
}

static void open_model(open_t *at)
{
    take_plan(at);
    take_arena(at);
    uint32_t beside = take_word(); /* bytes by which the arena is moved */
    uint8_t *arena = (uint8_t *)at->arena + beside;
    answer(infer_init(&at->model, at->plan, at->plan_bytes, arena, at->arena_bytes - beside));
}

static void check_plan(open_t *at)
{
    take_plan(at);
    infer_verdict_t verdict = infer_check(at->plan, at->plan_bytes);
    give_word((uint32_t)verdict.status);
    give_word((uint32_t)verdict.index);
}

static void measure_plan(open_t *at)
{
    take_plan(at);
    take_arena(at);
    tflm_measured_t found = tflm_measure(at->plan, at->arena, at->arena_bytes);
    answer(found.status);
    give_word(found.arena);
    give_word(found.used);
}

/* Opens with a tensor arena other than the plan's: nothing behind it belongs to anybody. */
static void open_with(open_t *at)
{
    take_plan(at);
    uint32_t bytes = take_word();
    const plan_header_t *plan = at->plan;
    free(at->arena);
    at->arena_bytes = tflm_reserved(plan) + bytes;
    at->arena = aligned(at->arena_bytes);
    tflm_message_clear();
    answer(tflm_open(&at->model, plan, at->arena, bytes));
}

static void put_input(open_t *at)
{
    uint32_t index = take_word();
    take(infer_input(&at->model, index), infer_input_bytes(&at->model, index));
}

static void get(const void *bytes, uint32_t count)
{
    give_word(bytes != NULL ? count : 0);
    if (bytes != NULL) {
        give(bytes, count);
    }
}

static void show_input(open_t *at)
{
    uint32_t index = take_word();
    get(infer_input(&at->model, index), infer_input_bytes(&at->model, index));
}

static void get_output(open_t *at)
{
    uint32_t index = take_word();
    get(infer_output(&at->model, index), infer_output_bytes(&at->model, index));
}

static void invoke(open_t *at)
{
    answer(infer_invoke(&at->model));
}

static void step(open_t *at)
{
    infer_step(&at->model, take_word());
}

static void reset(open_t *at)
{
    infer_reset(&at->model);
}

static void name_engine(open_t *at)
{
    (void)at;
    get(infer_engine(), (uint32_t)strlen(infer_engine()));
}

int main(void)
{
    static void (*const commands[])(open_t *at) = {
        open_model, check_plan, measure_plan, open_with, put_input,   show_input,
        get_output, invoke,     step,         reset,     name_engine,
    };
    for (;;) {
        uint32_t command = take_word();
        commands[command](&opened[take_word() % MODELS]);
        fflush(stdout);
    }
}
