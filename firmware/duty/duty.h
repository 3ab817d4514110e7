/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The machine of a device that sleeps: which block wakes it, when a stage runs, when it sleeps
 * again. Pure: it is told what happened and says what to do next; time is the sensor's, in
 * milliseconds.
 *
 *            trigger opens, or a command            trigger closed, `tail` blocks over
 *   ASLEEP ------------------------------> AWAKE ------------------------------------> ASLEEP
 *                                          every `hop` blocks: stage 1
 *                                            rejected -> nothing (counted)
 *                                            unsure or positive, and the policy allows it -> stage
 * 2 its scores -> smoothing -> a decision, or none it failed  -> the fallback answers, and says so
 *
 * A model that keeps states wants all windows one after the other: with `latch` the verdict of
 * stage 1 holds from the first window that is not rejected to the end of the wake.
 */
#ifndef DUTY_DUTY_H
#define DUTY_DUTY_H

#include <stdbool.h>
#include <stdint.h>

#include "duty/gate.h"
#include "duty/policy.h"
#include "duty/smooth.h"
#include "duty/trigger.h"

/* Who woke it. */
typedef enum { WAKE_LEVEL, WAKE_TIMER, WAKE_PIN, WAKE_COMMAND } wake_source_t;

/* Where an answer comes from. */
typedef enum { ANSWER_MODEL, ANSWER_CACHE, ANSWER_FALLBACK } answer_source_t;

/* What can go wrong with an inference. */
typedef enum {
    DUTY_OK,
    DUTY_E_PLAN,     /* the plan was refused */
    DUTY_E_INPUT,    /* samples were lost, or saturate */
    DUTY_E_DEADLINE, /* it took longer than deadline_ms */
    DUTY_E_POLICY    /* heat or battery forbid it */
} duty_failure_t;

/* What stage 1 leads to. */
typedef enum {
    DUTY_NOTHING,  /* rejected */
    DUTY_INFER,    /* run stage 2, then call duty_scores() or duty_failed() */
    DUTY_FORBIDDEN /* stage 1 wants it, the policy does not: call duty_failed(DUTY_E_POLICY) */
} duty_verdict_t;

typedef struct {
    trigger_config_t trigger;
    gate_config_t gate;
    smooth_config_t smooth;
    policy_config_t policy;
    uint32_t block_ms_q16; /* duration of a block, milliseconds in 16.16 */
    uint16_t hop;          /* blocks from window to window while awake */
    uint16_t tail;         /* blocks to go on when the trigger has closed */
    uint16_t
        longest; /* blocks of a wake at most, 0: no limit. Then the trigger has to close first */
    uint32_t timer_ms;      /* a timer window: wakes every so often, 0: never */
    uint16_t timer_windows; /* for so many windows */
    uint32_t deadline_ms;   /* of one inference; 0: none */
    uint8_t fallback;       /* class that answers when there is neither model nor cache */
    bool latch;
} duty_config_t;

/* What to do after a block, in this order. */
typedef enum {
    DUTY_SLEEP = 0,      /* nothing */
    DUTY_BEGIN = 1 << 0, /* a wake begins: start anew with the samples before it */
    DUTY_GATE = 1 << 1,  /* run stage 1 on the window that ends with this block */
    DUTY_END = 1 << 2    /* the wake is over (after what DUTY_GATE led to) */
} duty_action_t;

typedef enum { OUTCOME_NOTHING, OUTCOME_REJECTED, OUTCOME_DECIDED } duty_outcome_t;

/* An answer for the product, and for the record on the wire. */
typedef struct {
    answer_source_t source;
    duty_failure_t failure; /* why it is not the model's */
    decision_t decision;    /* of a cached one with the time when it was made */
} answer_t;

/* Counts since the start; the caller takes differences. */
typedef struct {
    uint32_t wakes;
    uint32_t rejected;   /* wakes in which no window passed stage 1 */
    uint32_t gates;      /* windows that stage 1 has looked at */
    uint32_t inferences; /* runs of stage 2 */
    uint32_t answers;
    uint32_t fallbacks; /* answers that were not the model's */
} duty_counts_t;

/* All zero is asleep at time 0. Members are private but for `counts` and `level`. */
typedef struct {
    trigger_t trigger;
    smooth_t smooth;
    policy_level_t level;
    duty_counts_t counts;
    uint64_t blocks; /* since the start */
    uint64_t timer_due;
    bool awake;
    bool passed; /* a window of this wake has passed stage 1 */
    bool decided;
    bool commanded; /* opened by something else than the level; ends after `windows_left` */
    uint16_t windows_left;
    uint32_t in_wake; /* blocks */
    uint32_t next_hop;
    uint32_t tail_left;
} duty_t;

/* Milliseconds of the sensor's time: of the end of the last block. */
uint64_t duty_time(const duty_t *duty, const duty_config_t *config);

/* A block has come, with its level (trigger_level()). Returns what to do, of duty_action_t. */
uint32_t duty_block(duty_t *duty, const duty_config_t *config, uint32_t level);

/* Asked from outside to look for `windows` windows; takes effect with the next block. */
void duty_command(duty_t *duty, wake_source_t source, uint16_t windows);

/* Stage 1 has scored the window. */
duty_verdict_t duty_gate(duty_t *duty, const duty_config_t *config, uint32_t score);

/* Stage 2 has scores, of `classes` classes, and took `took_ms`: longer than the deadline is a
 * failure. True: *answer is one to report. */
bool duty_scores(duty_t *duty, const duty_config_t *config, const uint8_t *scores, uint32_t classes,
                 uint32_t took_ms, answer_t *answer);

/* Stage 2 cannot answer. True: *answer is one to report, the cached decision if it has not expired,
 * else the fallback class with score 0; at most once a wake. */
bool duty_failed(duty_t *duty, const duty_config_t *config, duty_failure_t failure,
                 answer_t *answer);

/* How the wake that has just ended went. */
duty_outcome_t duty_outcome(const duty_t *duty);

/* What is measured about heat and battery. True: the level has changed. */
bool duty_environment(duty_t *duty, const duty_config_t *config, policy_input_t input);

#endif
