/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See report.h.
 */
#include "app/report.h"

#include <stdbool.h>
#include <string.h>

#define SOFTMAX_SCALE      (1.0f / 256) /* TensorFlow Lite fixes both for int8 */
#define SOFTMAX_ZERO_POINT (-128)

static bool is_int8(const infer_t *model)
{
    return infer_output_info(model, 0)->type == PLAN_TYPE_INT8;
}

/* Element `i` of an output, as a number of the same order: of a float its bits, those of negative
 * ones turned round. */
static int32_t rank_of(const void *output, uint32_t i, uint32_t type)
{
    int32_t bits;
    switch (type) {
    case PLAN_TYPE_INT8:
        return ((const int8_t *)output)[i];
    case PLAN_TYPE_UINT8:
    case PLAN_TYPE_BOOL:
        return ((const uint8_t *)output)[i];
    case PLAN_TYPE_INT16:
        return ((const int16_t *)output)[i];
    default:
        memcpy(&bits, (const uint8_t *)output + i * sizeof bits, sizeof bits);
        return type == PLAN_TYPE_FLOAT32 && bits < 0 ? bits ^ INT32_MAX : bits;
    }
}

uint32_t report_best(const infer_t *model)
{
    const plan_io_t *info = infer_output_info(model, 0);
    const void *output = infer_output(model, 0);
    uint32_t count = 1;
    for (uint32_t i = 0; i < info->rank; i++) {
        count *= info->dims[i];
    }
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (rank_of(output, i, info->type) > rank_of(output, best, info->type)) {
            best = i;
        }
    }
    return best;
}

/* Compares bits: no floating point on the device. */
static bool is_softmax(const plan_io_t *io)
{
    static const float scale = SOFTMAX_SCALE;
    return io->zero_point == SOFTMAX_ZERO_POINT && memcmp(&io->scale, &scale, sizeof scale) == 0;
}

static uint32_t percent(const infer_t *model, uint32_t index)
{
    const int8_t *codes = infer_output(model, 0);
    uint32_t steps = (uint32_t)(codes[index] - SOFTMAX_ZERO_POINT);
    return (steps * 100 + 128) / 256;
}

void report_inference(text_t *text, const infer_t *model, uint32_t window, uint32_t best)
{
    const char *label = infer_label(model, best);
    text_string(text, "window ");
    text_uint(text, window);
    text_string(text, ": ");
    if (label != NULL) {
        text_string(text, label);
    } else {
        text_string(text, "class ");
        text_uint(text, best);
    }
    if (is_int8(model) && is_softmax(infer_output_info(model, 0))) {
        text_string(text, " (score ");
        text_uint(text, percent(model, best));
        text_string(text, " %)");
    }
}

void report_failure(text_t *text, const char *what, infer_status_t status)
{
    const char *message = infer_message();
    text_string(text, what);
    text_string(text, ": ");
    text_string(text, infer_status_name(status));
    if (message[0] != '\0') {
        text_string(text, ": ");
        text_string(text, message);
    }
}
