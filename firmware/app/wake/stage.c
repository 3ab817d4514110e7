/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See stage.h.
 */
#include "app/wake/stage.h"

#include "app/console.h"
#include "app/report.h"
#include "app/session.h"
#include "app/wake/account.h"
#include "app/wake/config.h"
#include "app/wake/window.h"
#include "hal/board.h"
#include "hal/clock.h"

#define INT8_LOWEST 128

static struct {
    infer_t *model; /* NULL: none that fits */
    uint32_t classes;
    bool failing; /* the last inference has failed */
    summary_t summary;
    drift_t drift;
} stage;

static uint32_t elements(const plan_io_t *io)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < io->rank; i++) {
        count *= io->dims[i];
    }
    return count;
}

/* Whatever plan an update has brought: nothing but this kind is run. */
static bool fits(const infer_t *model)
{
    const plan_io_t *input = infer_input_info(model, 0);
    const plan_io_t *output = infer_output_info(model, 0);
    uint32_t classes = elements(output);
    bool has_scores = output->type == PLAN_TYPE_INT8 || output->type == PLAN_TYPE_UINT8;
    return input->type == PLAN_TYPE_INT8 && model->plan->n_inputs == 1 &&
           elements(input) == (uint32_t)wake_config.rows * wake_config.columns && has_scores &&
           classes <= SMOOTH_CLASSES;
}

void stage_start(void)
{
    uint32_t bytes = 0;
    infer_t *model = session_model();
    stage.model = model != NULL && fits(model) ? model : NULL;
    stage.classes = stage.model != NULL ? elements(infer_output_info(model, 0)) : 0;
    stage.failing = false;
    const void *reference = stage.model != NULL ? infer_extra(model, &bytes) : NULL;
    drift_open(&stage.drift, reference, bytes);
}

bool stage_ready(void)
{
    return stage.model != NULL;
}

uint32_t stage_classes(void)
{
    return stage.classes;
}

void stage_begin(void)
{
    if (stage.model != NULL) {
        infer_reset(stage.model);
    }
}

static void read_scores(stage_result_t *result)
{
    const uint8_t *codes = infer_output(stage.model, 0);
    uint8_t turned = infer_output_info(stage.model, 0)->type == PLAN_TYPE_INT8 ? INT8_LOWEST : 0;
    result->classes = stage.classes;
    result->best = 0;
    for (uint32_t i = 0; i < stage.classes; i++) {
        result->scores[i] = codes[i] ^ turned;
        result->best = result->scores[i] > result->scores[result->best] ? i : result->best;
    }
}

static uint32_t microseconds(uint32_t ticks)
{
    uint32_t each = board.timer_hz / 1000;
    return ticks / each * 1000 + ticks % each * 1000 / each;
}

/* A model that always fails does so once a window: that is told once. */
static void note_status(infer_status_t status)
{
    bool is_news = status != INFER_OK && !stage.failing;
    stage.failing = status != INFER_OK;
    if (is_news) {
        text_t text = {0};
        report_failure(&text, "inference failed", status);
        console_print(&text);
    }
}

static void take_result(uint32_t since, stage_result_t *result)
{
    read_scores(result);
    result->took_us = microseconds(clock_ticks() - since);
    summary_inference(&stage.summary, result->best, result->scores[result->best], result->took_us);
}

bool stage_infer(uint32_t since, stage_result_t *result)
{
    duty_state_t before = account(STATE_STAGE_2);
    int8_t *input = infer_input(stage.model, 0);
    window_codes(input);
    drift_add(&stage.drift, input, wake_config.rows, wake_config.columns);
    note_status(infer_invoke(stage.model));
    if (!stage.failing) {
        take_result(since, result);
    }
    account(before);
    return !stage.failing;
}

void stage_failed(void)
{
    summary_error(&stage.summary);
}

stage_summary_t stage_summary(bool begin)
{
    stage_summary_t summary = {summary_figures(&stage.summary), drift_index(&stage.drift)};
    if (begin) {
        summary_begin(&stage.summary);
        drift_begin(&stage.drift);
    }
    return summary;
}
