/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The machine of a device that sleeps: which block wakes it, when a stage runs, when it sleeps
 * again. Pure: it is told what happened and says what to do next; time is the sensor's, in
 * milliseconds.
 *
 *            trigger opens, or something asks       trigger closed, `tail` blocks over,
 *                                                   and all windows looked at that were asked for
 *   ASLEEP ------------------------------> AWAKE ------------------------------------> ASLEEP
 *
 *   AWAKE: a window at the first block, then every policy_hop() blocks
 *     stage 1 rejects it         -> nothing
 *     unsure or positive         -> stage 2, its scores -> smoothing -> a decision, or none
 *     the policy forbids stage 2,
 *     or it failed               -> the fallback answers, and says so
 *
 * A window that stage 1 rejects, or that has no scores for another reason, counts as one with
 * scores of 0 in the smoothing: its windows are a span of time, whatever the gate does.
 *
 * A model that keeps states wants all windows one after the other: with `latch` the best verdict of
 * stage 1 so far holds to the end of the wake.
 *
 * While it is awake, what a command, a pin or the timer asks for extends nothing. It is kept and
 * begins a wake of its own with the next block after this one's end; of several the one with most
 * windows counts, once. A wake that was asked for goes on when the trigger opens in it.
 *
 * A level that never falls (a stuck sensor, a machine that always runs) keeps the device awake for
 * `longest` blocks. Then it sleeps, and no level wakes it until the trigger has closed; timer, pin
 * and command still do, for their windows. counts.limited says how often. Where a level that is
 * high for long is a reason to listen, set no limit.
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
    DUTY_E_POLICY,   /* heat or battery forbid it */
    DUTY_E_ENGINE    /* it has failed */
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
    uint32_t block_ms_q16;  /* duration of a block, milliseconds in 16.16 */
    uint16_t hop;           /* blocks from window to window while awake, at least 1 */
    uint16_t tail;          /* blocks to go on when the trigger has closed */
    uint16_t longest;       /* blocks of a wake at most, however it began; 0: no limit */
    uint32_t timer_ms;      /* a timer window: wakes every so often, 0: never */
    uint16_t timer_windows; /* for so many windows */
    uint32_t deadline_ms;   /* of one inference, longer is a failure; 0: none */
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

/* Of a wake: all windows were rejected; the model has decided something; neither. */
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
    uint32_t rejected;   /* wakes in which stage 1 rejected every window; counted at their end, or
                            with the next block if they end with a window */
    uint32_t limited;    /* wakes that `longest` has ended */
    uint32_t gates;      /* windows that stage 1 has looked at */
    uint32_t inferences; /* runs of stage 2, those that took too long included */
    uint32_t answers;
    uint32_t fallbacks; /* answers that were not the model's */
} duty_counts_t;

/* All zero is asleep at time 0, with the policy at NORMAL. Members are private but for `counts` and
 * `level`. */
typedef struct {
    trigger_t trigger;
    smooth_t smooth;
    policy_level_t level; /* the worse of these two */
    policy_level_t heat;
    policy_level_t charge;
    duty_counts_t counts;
    uint64_t blocks;     /* since the start */
    uint64_t timer_last; /* ms: when it was due last */
    wake_source_t asked_by;
    uint16_t asked_windows; /* for the next wake */
    wake_source_t source;   /* of this wake, or the last one: as are the following */
    uint16_t windows_left;  /* of those that were asked for */
    bool awake;
    bool held;              /* by the trigger, which has opened for this wake */
    bool passed;            /* a window was not rejected */
    bool decided;           /* by the model */
    bool fell_back;         /* the fallback has answered */
    bool unsettled;         /* it is over, but windows of its last block may pass */
    gate_verdict_t latched; /* the best one */
    uint32_t in_wake;       /* blocks */
    uint32_t hop_left;
    uint32_t tail_left; /* blocks; counts while it is not held */
} duty_t;

/* Milliseconds of the sensor's time: of the end of the last block. */
uint64_t duty_time(const duty_t *duty, const duty_config_t *config);

/* A block has come, with its level (trigger_level()). Returns what to do, of duty_action_t. */
uint32_t duty_block(duty_t *duty, const duty_config_t *config, uint32_t level);

/* Blocks were lost before the next one: time goes on, nothing else. */
void duty_lost(duty_t *duty, uint32_t blocks);

/* Asked from outside to look for `windows` windows (0: nothing is asked); takes effect with the
 * next block that comes while it is asleep. Not from an interrupt. */
void duty_command(duty_t *duty, wake_source_t source, uint16_t windows);

/* Stage 1 has scored the window. With the first DUTY_GATE of a wake there may be several, those of
 * the time before it, oldest first: each with what its verdict leads to. A window that it cannot
 * score, because samples are missing, goes to duty_failed() instead. */
duty_verdict_t duty_gate(duty_t *duty, const duty_config_t *config, uint32_t score);

/* Stage 2 has scores, of `classes` classes, and took `took_ms`: longer than the deadline is a
 * failure, and the scores count for nothing. True: *answer is one to report. */
bool duty_scores(duty_t *duty, const duty_config_t *config, const uint8_t *scores, uint32_t classes,
                 uint32_t took_ms, answer_t *answer);

/* The window gets no scores. True: *answer is one to report, the last decision if it has not
 * expired, else the fallback class with score 0; at most once a wake, whatever the model has
 * decided in it. */
bool duty_failed(duty_t *duty, const duty_config_t *config, duty_failure_t failure,
                 answer_t *answer);

/* Who woke it, the last time; both level and command: the command. */
wake_source_t duty_source(const duty_t *duty);

/* How the wake that has just ended went. What the fallback says is no decision. */
duty_outcome_t duty_outcome(const duty_t *duty);

/* What is measured about heat and battery. Each has a hysteresis of its own: a battery that was low
 * and is full again is not held down by a temperature that was never too high. True: the level has
 * changed. */
bool duty_environment(duty_t *duty, const duty_config_t *config, policy_input_t input);

/* The classes are those of another model from now on: windows and the last decision are forgotten.
 */
void duty_new_model(duty_t *duty);

#endif
