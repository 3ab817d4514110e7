/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Goes through all states that a scenario can get into by power cuts: at each operation of the
 * flash power fails, in each shape; the device starts again from nothing, and then the same happens
 * at each operation of what it does next, as deep as is wanted. Each state is followed to its end,
 * where everything has to be as the scenario wants it.
 */
#ifndef POWERCUT_PROOF_H
#define POWERCUT_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "judge.h"

#define PROOF_CUTS_MAX     3
#define PROOF_FAILURES_MAX 8 /* that are described; all are counted */

/* Power fails in operation number `operation`, from 1 on, since power came last. */
typedef struct {
    uint64_t operation;
    uint32_t shape; /* flash_shape_t */
} proof_cut_t;

typedef struct {
    uint64_t first; /* the first cut is in [first, end), */
    uint64_t end;
    uint64_t every;      /* at the first operation of the scenario, and at every so manyth then */
    uint32_t alone_gap;  /* second cut, in what the device does by itself: one operation in so many
                            is cut, 1: every one, 0: none */
    uint32_t client_gap; /* the same for what the client has it do then; 0 if `alone_gap` is */
    uint64_t seed;
    proof_cut_t only[PROOF_CUTS_MAX]; /* if there are any: this state and no other */
    uint32_t only_count;
} proof_range_t;

typedef struct {
    uint32_t failure; /* judge_failure_t */
    char what[96];
    proof_cut_t cuts[PROOF_CUTS_MAX];
    uint32_t cut_count;
} proof_failure_t;

typedef struct {
    uint64_t states;
    uint64_t torn;               /* of them: a cut has left something half done */
    uint64_t doubles;            /* of them: with a second cut */
    uint64_t failed[FAIL_KINDS]; /* of them, by judge_failure_t */
    uint32_t described;
    proof_failure_t failures[PROOF_FAILURES_MAX];
} proof_result_t;

/* Takes up `scenario`, with `flash_bytes` bytes of memory for its flash (aligned to 16) and does
 * what comes before the first cut. False: that fails already, `result` says how. */
bool proof_open(uint8_t *memory, proof_result_t *result);

/* Does the rest without a cut; returns the number of operations. May fail likewise: then 0. */
uint64_t proof_count(proof_result_t *result);

/* Goes through the states of a range, and adds them to `result`. */
void proof_run(const proof_range_t *range, proof_result_t *result);

/* Frees what proof_open() has taken. */
void proof_close(void);

#endif
