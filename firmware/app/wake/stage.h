/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Stage 2: the session's model on a window, with what is learned from it: summary and drift.
 */
#ifndef APP_WAKE_STAGE_H
#define APP_WAKE_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "duty/duty.h"
#include "stats/drift.h"
#include "stats/summary.h"

typedef struct {
    uint8_t scores[SMOOTH_CLASSES]; /* of 255 */
    uint32_t classes;
    uint32_t best;
    uint32_t took_us; /* from the end of the window, at `since` of stage_infer(), to the scores */
} stage_result_t;

/* Takes the model that the session has opened. Again whenever it has opened another one. */
void stage_start(void);

/* The model, as the summaries of the interval see it. */
typedef struct {
    summary_figures_t figures;
    uint16_t drift; /* thousandths, or DRIFT_UNKNOWN */
} stage_summary_t;

/* True if there is a model, and it takes such windows and gives such scores. */
bool stage_ready(void);

/* How many classes it has. */
uint32_t stage_classes(void);

/* A wake begins: the model forgets what it has heard before. */
void stage_begin(void);

/* One inference on the window that was taken; `since` are the clock's ticks at its end. The codes
 * are in the model's input still, if the plan keeps it. Only if stage_ready(). False: the engine
 * has failed, there is no result; the first of several such is told on the console. */
bool stage_infer(uint32_t since, stage_result_t *result);

/* An inference that was wanted and did not happen, or came too late. */
void stage_failed(void);

/* What the interval was like; `begin` starts a new one. */
stage_summary_t stage_summary(bool begin);

#endif
