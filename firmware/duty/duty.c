/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See duty.h.
 */
#include "duty/duty.h"

uint64_t duty_time(const duty_t *duty, const duty_config_t *config)
{
    return duty->blocks * config->block_ms_q16 >> 16;
}

/* A wake is counted as rejected when no window of it can come any more. */
static void settle(duty_t *duty)
{
    duty->counts.rejected += duty->unsettled && !duty->passed;
    duty->unsettled = false;
}

static void look_at_level(duty_t *duty, const duty_config_t *config, uint32_t level)
{
    switch (trigger_update(&duty->trigger, &config->trigger, level)) {
    case TRIGGER_OPENED:
        duty->held = true;
        break;
    case TRIGGER_CLOSED:
        duty->tail_left = duty->held ? config->tail : 0;
        duty->held = false;
        break;
    case TRIGGER_QUIET:
        duty->tail_left -= duty->tail_left > 0;
        break;
    case TRIGGER_ACTIVE:
        break;
    }
}

/* Keeps to the schedule as long as there is at most one window a block. */
static void look_at_timer(duty_t *duty, const duty_config_t *config)
{
    if (config->timer_ms == 0) {
        return;
    }
    uint64_t now = duty_time(duty, config);
    if (now - duty->timer_last < config->timer_ms) {
        return;
    }
    duty->timer_last += config->timer_ms;
    if (now - duty->timer_last >= config->timer_ms) {
        duty->timer_last = now;
    }
    duty_command(duty, WAKE_TIMER, config->timer_windows);
}

static void begin(duty_t *duty)
{
    duty->source = duty->asked_windows > 0 ? duty->asked_by : WAKE_LEVEL;
    duty->windows_left = duty->asked_windows;
    duty->asked_windows = 0;
    duty->awake = true;
    duty->passed = false;
    duty->decided = false;
    duty->fell_back = false;
    duty->latched = GATE_REJECT;
    duty->in_wake = 0;
    duty->hop_left = 0;
    duty->counts.wakes++;
    smooth_begin(&duty->smooth);
}

static bool window_due(duty_t *duty, const duty_config_t *config)
{
    if (duty->hop_left > 1) {
        duty->hop_left--;
        return false;
    }
    duty->hop_left = policy_hop(&config->policy, duty->level, config->hop);
    duty->windows_left = (uint16_t)(duty->windows_left - (duty->windows_left > 0));
    return true;
}

static bool is_over(duty_t *duty, const duty_config_t *config)
{
    if (!duty->held && duty->tail_left == 0 && duty->windows_left == 0) {
        return true;
    }
    if (config->longest == 0 || duty->in_wake < config->longest) {
        return false;
    }
    duty->counts.limited++;
    return true;
}

static void end(duty_t *duty)
{
    duty->awake = false;
    duty->held = false;
    duty->tail_left = 0;
    duty->unsettled = true;
}

uint32_t duty_block(duty_t *duty, const duty_config_t *config, uint32_t level)
{
    duty->blocks++;
    settle(duty);
    look_at_level(duty, config, level);
    look_at_timer(duty, config);
    uint32_t actions = DUTY_SLEEP;
    if (!duty->awake) {
        if (!duty->held && duty->asked_windows == 0) {
            return DUTY_SLEEP;
        }
        begin(duty);
        actions |= DUTY_BEGIN;
    }
    duty->in_wake++;
    if (window_due(duty, config)) {
        actions |= DUTY_GATE;
    }
    if (is_over(duty, config)) {
        end(duty);
        actions |= DUTY_END;
    }
    if ((actions & DUTY_GATE) == 0) {
        settle(duty);
    }
    return actions;
}

void duty_lost(duty_t *duty, uint32_t blocks)
{
    duty->blocks += blocks;
}

void duty_command(duty_t *duty, wake_source_t source, uint16_t windows)
{
    if (duty->asked_windows == 0) {
        duty->asked_by = source;
    }
    if (windows > duty->asked_windows) {
        duty->asked_windows = windows;
    }
}

static gate_verdict_t latch(duty_t *duty, const duty_config_t *config, gate_verdict_t verdict)
{
    if (verdict > duty->latched) {
        duty->latched = verdict;
    }
    return config->latch ? duty->latched : verdict;
}

duty_verdict_t duty_gate(duty_t *duty, const duty_config_t *config, uint32_t score)
{
    gate_verdict_t verdict = latch(duty, config, gate_judge(&config->gate, score));
    duty->counts.gates++;
    duty->passed |= verdict != GATE_REJECT;
    if (verdict == GATE_REJECT) {
        smooth_skip(&duty->smooth, &config->smooth);
        return DUTY_NOTHING;
    }
    return policy_allows(duty->level, verdict == GATE_POSITIVE) ? DUTY_INFER : DUTY_FORBIDDEN;
}

bool duty_scores(duty_t *duty, const duty_config_t *config, const uint8_t *scores, uint32_t classes,
                 uint32_t took_ms, answer_t *answer)
{
    duty->counts.inferences++;
    if (config->deadline_ms != 0 && took_ms > config->deadline_ms) {
        return duty_failed(duty, config, DUTY_E_DEADLINE, answer);
    }
    uint64_t now = duty_time(duty, config);
    if (!smooth_update(&duty->smooth, &config->smooth, now, scores, classes, &answer->decision)) {
        return false;
    }
    answer->source = ANSWER_MODEL;
    answer->failure = DUTY_OK;
    duty->decided = true;
    duty->counts.answers++;
    return true;
}

bool duty_failed(duty_t *duty, const duty_config_t *config, duty_failure_t failure,
                 answer_t *answer)
{
    duty->passed = true;
    smooth_skip(&duty->smooth, &config->smooth);
    if (duty->fell_back) {
        return false;
    }
    duty->fell_back = true;
    duty->counts.answers++;
    duty->counts.fallbacks++;
    answer->failure = failure;
    answer->source = ANSWER_CACHE;
    uint64_t now = duty_time(duty, config);
    if (!smooth_last(&duty->smooth, &config->smooth, now, &answer->decision)) {
        answer->source = ANSWER_FALLBACK;
        answer->decision = (decision_t){.best = config->fallback, .time = now};
    }
    return true;
}

wake_source_t duty_source(const duty_t *duty)
{
    return duty->source;
}

duty_outcome_t duty_outcome(const duty_t *duty)
{
    if (duty->decided) {
        return OUTCOME_DECIDED;
    }
    return duty->passed ? OUTCOME_NOTHING : OUTCOME_REJECTED;
}

bool duty_environment(duty_t *duty, const duty_config_t *config, policy_input_t input)
{
    policy_input_t heat = {.temperature = input.temperature, .battery = POLICY_NO_BATTERY};
    policy_input_t charge = {.temperature = POLICY_NO_TEMPERATURE, .battery = input.battery};
    policy_level_t before = duty->level;
    duty->heat = policy_update(&config->policy, duty->heat, heat);
    duty->charge = policy_update(&config->policy, duty->charge, charge);
    duty->level = duty->heat > duty->charge ? duty->heat : duty->charge;
    return duty->level != before;
}

void duty_new_model(duty_t *duty)
{
    duty->smooth = (smooth_t){0};
}
