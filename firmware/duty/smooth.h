/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * From the scores of single windows to decisions: smoothing over windows, refractory time, and the
 * last decision with its age.
 *
 * MEAN: a class is decided when the mean of its last `windows` scores reaches `cutoff` (as the
 * public micro-wake-word models want it), and no other one's that is not ignored is higher.
 * MAJORITY: when it was the best of more than half of the last `windows` windows with a score of at
 * least `cutoff`. Windows that are not there yet count as 0. Of equal scores the first class is the
 * best; nothing is decided by scores of 0.
 *
 * A class in its refractory time is not decided, and no weaker one in its place. It is decided
 * again afterwards if its scores are still high.
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
    uint32_t refractory_ms; /* so long after a decision the same class is not decided again */
    uint32_t expiry_ms;     /* at this age a decision is not worth repeating any more */
} smooth_config_t;

typedef struct {
    uint8_t best;  /* class */
    uint8_t score; /* mean of its scores over the windows, of 255, rounded down */
    uint64_t time; /* ms */
} decision_t;

/* All zero is nothing decided yet. Members are private. RAM: a byte for each window and class, a
 * time for each class, and a few. */
typedef struct {
    uint8_t scores[SMOOTH_WINDOWS][SMOOTH_CLASSES];
    uint64_t free_at[SMOOTH_CLASSES]; /* ms: end of the refractory time */
    uint8_t next;
    bool has_last;
    decision_t last;
} smooth_t;

/* Forgets the windows, not the last decision: a wake begins. */
void smooth_begin(smooth_t *smooth);

/* A window without scores: it counts as 0. */
void smooth_skip(smooth_t *smooth, const smooth_config_t *config);

/* Takes the scores of one window, of `classes` <= SMOOTH_CLASSES classes (more are left out). True:
 * something is decided, which is then the last decision too. */
bool smooth_update(smooth_t *smooth, const smooth_config_t *config, uint64_t now_ms,
                   const uint8_t *scores, uint32_t classes, decision_t *decision);

/* The last decision, if it has not expired. */
bool smooth_last(const smooth_t *smooth, const smooth_config_t *config, uint64_t now_ms,
                 decision_t *decision);

#endif
