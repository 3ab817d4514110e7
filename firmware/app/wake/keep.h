/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Inputs that are kept in the flash, for people who want to know what the device did not
 * understand.
 */
#ifndef APP_WAKE_KEEP_H
#define APP_WAKE_KEEP_H

#include "app/wake/stage.h"
#include "gen/wire_records.h"

/* Finds what is there already. */
void keep_start(void);

/* The input of an inference: it may be kept. `now_s` in seconds since the start. */
void keep_consider(const stage_result_t *result, uint32_t now_s);

/* Answers a `fetch`. */
void keep_answer(const wire_fetch_t *request);

#endif
