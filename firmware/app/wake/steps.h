/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What the trace ring of hal/trace.h holds: the steps of the loop. docs/SPEC.md lists them; the
 * host knows them by these numbers (host/torpor/monitor).
 */
#ifndef APP_WAKE_STEPS_H
#define APP_WAKE_STEPS_H

enum {
    STEP_START = 1,   /* value: the reason of the restart */
    STEP_REQUEST = 2, /* value: id of the record that is carried out */
    STEP_WAKE = 3,    /* value: number of the wake, modulo 2^16 */
    STEP_GATE = 4,    /* value: the score */
    STEP_INFER = 5,   /* value: 0 */
    STEP_ANSWER = 6,  /* value: class, and source << 8 */
    STEP_SLEEP = 7,   /* value: outcome of the wake */
    STEP_SUMMARY = 8, /* value: 0 */
    STEP_KEEP = 9,    /* value: why an input is kept */
    STEP_MODEL = 10,  /* value: status of the plan */
};

#endif
