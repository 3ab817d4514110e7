/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Damages the flatbuffer of a plan in every place, one at a time, and has it checked: cut off at
 * each byte, and each half-word and word set to values that are worth trying. The memory ends with
 * the flatbuffer, so that AddressSanitizer sees each byte that is read behind it. Prints how often
 * which part was wrong.
 *
 *     hammer PLAN
 */
#define _POSIX_C_SOURCE 200112L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/tflm/model.h"

#define PARTS 32

static unsigned long accepted;
static unsigned long others;
static unsigned long wrong[PARTS];

static void count(infer_verdict_t verdict)
{
    if (verdict.status == INFER_OK) {
        accepted++;
    } else if (verdict.status == INFER_E_MODEL) {
        wrong[verdict.index]++;
    } else {
        others++;
    }
}

/* Checks a copy of the plan whose flatbuffer has `bytes` bytes, with `size` of them changed. */
static void check(const plan_header_t *plan, uint32_t bytes, uint32_t at, uint32_t value,
                  uint32_t size)
{
    void *memory = NULL;
    if (posix_memalign(&memory, PLAN_ALIGN, plan->data + bytes) != 0) {
        abort();
    }
    memcpy(memory, plan, plan->data + bytes);
    plan_header_t *copy = memory;
    copy->data_bytes = bytes;
    memcpy((uint8_t *)memory + plan->data + at, &value, size);
    count(tflm_model_verdict(copy));
    free(memory);
}

static void change(const plan_header_t *plan, uint32_t at, uint32_t size)
{
    uint32_t value = 0;
    memcpy(&value, (const uint8_t *)plan + plan->data + at, size);
    uint32_t top = size == 2 ? 0x8000u : 0x80000000u;
    const uint32_t values[] = {
        0,
        1,
        2,
        4,
        6,
        value + 1,
        value - 1,
        value + 2,
        value - 2,
        value + 4,
        value - 4,
        value + 16,
        value - 16,
        value * 2,
        value / 2,
        value ^ top,
        top,
        top - 1,
        top * 2 - 1,
        top * 2 - 4,
        top * 2 - 8,
        0 - at,
        at,
        plan->data_bytes,
        plan->data_bytes - at,
        plan->data_bytes - at - 4,
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        check(plan, plan->data_bytes, at, values[i], size);
    }
}

static plan_header_t *read_plan(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        abort();
    }
    size_t length = (size_t)ftell(file);
    void *memory = NULL;
    rewind(file);
    if (posix_memalign(&memory, PLAN_ALIGN, length) != 0 ||
        fread(memory, 1, length, file) != length) {
        abort();
    }
    fclose(file);
    return memory;
}

int main(int count_of_arguments, char **arguments)
{
    plan_header_t *plan = read_plan(arguments[count_of_arguments - 1]);
    for (uint32_t bytes = 0; bytes < plan->data_bytes; bytes++) {
        check(plan, bytes, 0, 0, 0);
    }
    for (uint32_t at = 0; at + 2 <= plan->data_bytes; at += 2) {
        change(plan, at, 2);
    }
    for (uint32_t at = 0; at + 4 <= plan->data_bytes; at += 4) {
        change(plan, at, 4);
    }
    free(plan);
    printf("ok=%lu others=%lu", accepted, others);
    for (int part = 0; part < PARTS; part++) {
        if (wrong[part] != 0) {
            printf(" %d=%lu", part, wrong[part]);
        }
    }
    printf("\n");
    return 0;
}
