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

uint32_t report_best(const infer_t *model)
{
    const int8_t *codes = infer_output(model, 0);
    uint32_t count = is_int8(model) ? infer_output_bytes(model, 0) : 0;
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (codes[i] > codes[best]) {
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
