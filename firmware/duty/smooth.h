/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * From the scores of single windows to decisions: smoothing over windows, refractory time, and the
 * last decision with its age.
 *
 * MEAN: a class is decided when the mean of its last `windows` scores reaches `cutoff` (as the
 * public micro-wake-word models want it). MAJORITY: when it was the best of more than half of the
 * last `windows` windows with a score of at least `cutoff`. Windows that are not there yet count as
 * 0.
 */
#ifndef DUTY_SMOOTH_H
#define DUTY_SMOOTH_H

#include <stdbool.h>
#include <stdint.h>

#define SMOOTH_WINDOWS 16
#define SMOOTH_CLASSES 12

typedef enum { SMOOTH_MEAN, SMOOTH_MAJORITY } smooth_kind_t;

typedef struct {
    smooth_kind_t kind;
    uint8_t windows;        /* 1 .. SMOOTH_WINDOWS */
    uint8_t cutoff;         /* of 255 */
    uint16_t ignored;       /* bit i: class i is background, and never decided */
    uint32_t refractory_ms; /* after a decision the same class is not decided again */
    uint32_t expiry_ms;     /* so long a decision is worth repeating */
} smooth_config_t;

typedef struct {
    uint8_t best;  /* class */
    uint8_t score; /* mean of its scores over the windows, of 255 */
    uint64_t time; /* ms */
} decision_t;

/* Private. RAM: SMOOTH_WINDOWS * SMOOTH_CLASSES bytes and a few. */
typedef struct {
    uint8_t scores[SMOOTH_WINDOWS][SMOOTH_CLASSES];
    uint8_t next;
    uint8_t count;
    bool has_last;
    decision_t last;
} smooth_t;

/* Forgets the windows, not the last decision: a wake begins. */
void smooth_begin(smooth_t *smooth);

/* Takes the scores of one window, of `classes` <= SMOOTH_CLASSES classes. True: something is
 * decided, which is then the last decision too. */
bool smooth_update(smooth_t *smooth, const smooth_config_t *config, uint64_t now_ms,
                   const uint8_t *scores, uint32_t classes, decision_t *decision);

/* The last decision, if it has not expired. */
bool smooth_last(const smooth_t *smooth, const smooth_config_t *config, uint64_t now_ms,
                 decision_t *decision);

#endif
