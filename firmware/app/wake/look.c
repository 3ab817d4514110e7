/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See look.h.
 */
#include "app/wake/look.h"

#include "app/wake/account.h"
#include "app/wake/config.h"
#include "app/wake/keep.h"
#include "app/wake/stage.h"
#include "app/wake/steps.h"
#include "app/wake/tell.h"
#include "app/wake/window.h"
#include "hal/clock.h"
#include "hal/trace.h"

#define ALWAYS UINT32_MAX /* a level and a score that pass everything */

static struct {
    duty_t duty;
    uint64_t next_summary; /* ms */
    uint32_t lost;         /* blocks of the sensor, at the last inference */
    uint32_t counted_lost; /* of them, in the duty's time */
    bool held;
    bool ended;
} look;

static const duty_config_t *const config = &wake_config.duty;

void look_start(void)
{
    window_start();
    stage_start();
    duty_new_model(&look.duty);
    look.lost = sensor_lost();
    if (look.next_summary == 0) {
        look.next_summary = wake_config.interval_ms;
    }
}

static void report(const answer_t *answer, uint32_t latency_us)
{
    tell_answer(answer, latency_us, look.duty.counts.wakes);
}

static void fail(duty_failure_t failure)
{
    answer_t answer;
    stage_failed();
    if (duty_failed(&look.duty, config, failure, &answer)) {
        report(&answer, 0);
    }
}

/* Why the model cannot be asked about the window that was taken. */
static duty_failure_t obstacle(void)
{
    uint32_t lost = sensor_lost();
    bool is_whole = lost == look.lost;
    look.lost = lost;
    if (!stage_ready()) {
        return DUTY_E_PLAN;
    }
    return is_whole ? DUTY_OK : DUTY_E_INPUT;
}

static void infer(uint32_t since)
{
    stage_result_t result;
    answer_t answer;
    duty_failure_t failure = obstacle();
    if (failure != DUTY_OK) {
        fail(failure);
        return;
    }
    trace_note(STEP_INFER, 0);
    if (!stage_infer(since, &result)) {
        fail(DUTY_E_ENGINE);
        return;
    }
    if (duty_scores(&look.duty, config, result.scores, result.classes, result.took_us / 1000,
                    &answer)) {
        report(&answer, result.took_us);
    }
    keep_consider(&result, (uint32_t)(duty_time(&look.duty, config) / 1000));
}

static uint32_t score(void)
{
    if (wake_config.always) {
        return ALWAYS;
    }
    uint32_t found = window_score();
    trace_note(STEP_GATE, (uint16_t)(found < UINT16_MAX ? found : UINT16_MAX));
    return found;
}

/* All windows that are due: one, or those of the time before a wake. */
static void look_at_windows(uint32_t since)
{
    duty_state_t before = account(STATE_STAGE_1);
    window_due();
    while (!look.held && window_take()) {
        duty_verdict_t verdict = duty_gate(&look.duty, config, score());
        if (verdict == DUTY_INFER) {
            infer(since);
        } else if (verdict == DUTY_FORBIDDEN) {
            fail(DUTY_E_POLICY);
        }
    }
    account(before);
}

static void begin_wake(void)
{
    trace_note(STEP_WAKE, (uint16_t)look.duty.counts.wakes);
    window_begin();
    if (!look.held) {
        stage_begin();
    }
}

/* Time goes on while blocks are lost. */
static void count_lost(void)
{
    uint32_t lost = sensor_lost();
    duty_lost(&look.duty, lost - look.counted_lost);
    look.counted_lost = lost;
}

static void take_block(const int16_t *block, uint32_t since)
{
    count_lost();
    const sensor_format_t *format = &wake_config.format;
    uint32_t level =
        wake_config.always ? ALWAYS : trigger_level(block, format->block, format->axes);
    uint32_t actions = duty_block(&look.duty, config, level);
    if ((actions & DUTY_BEGIN) != 0) {
        begin_wake();
    }
    if ((actions & DUTY_GATE) != 0) {
        look_at_windows(since);
    }
    if ((actions & DUTY_END) != 0) {
        trace_note(STEP_SLEEP, (uint16_t)duty_outcome(&look.duty));
    }
}

static bool read_block(int16_t *block)
{
    duty_state_t before = account(STATE_REPLAY);
    bool is_there = sensor_read(block);
    account(before);
    return is_there;
}

void look_at_blocks(void)
{
    uint32_t since = clock_ticks();
    while (sensor_ready()) {
        int16_t *block = window_slot();
        if (!read_block(block)) {
            break;
        }
        take_block(block, since);
        if (duty_time(&look.duty, config) >= look.next_summary) {
            look.next_summary += wake_config.interval_ms;
            look_summary(true);
        }
    }
}

void look_command(wake_source_t source, uint16_t windows)
{
    duty_command(&look.duty, source, windows);
}

void look_environment(policy_input_t input)
{
    if (duty_environment(&look.duty, config, input)) {
        look_about();
    }
}

void look_hold(void)
{
    look.held = true;
}

/* What came meanwhile is not made up for. */
void look_release(void)
{
    look.held = false;
    window_begin();
    stage_begin();
}

uint32_t look_blocks(void)
{
    return (uint32_t)look.duty.blocks;
}

void look_summary(bool end)
{
    tell_summary(duty_time(&look.duty, config), &look.duty.counts, end);
}

void look_end(void)
{
    uint64_t begun = look.next_summary - wake_config.interval_ms;
    if (!look.ended) {
        look.ended = true;
        if (duty_time(&look.duty, config) > begun) {
            look_summary(true);
        }
        look_tell_end();
    }
}

void look_tell_end(void)
{
    if (look.ended) {
        tell_need(look_blocks() * wake_config.format.block, 0);
    }
}

void look_about(void)
{
    tell_about(look.duty.level);
}
