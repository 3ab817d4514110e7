/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Answers the host's requests (firmware/wire/records.toml) with the model that runs.
 */
#ifndef APP_SESSION_H
#define APP_SESSION_H

#include "gen/wire_records.h"
#include "infer/infer.h"

/* Checks and opens the plan that has to run, then says `hello`. A plan that is refused is never
 * run: a line of text and `hello` say why, everything else is answered with no_model. Again, when
 * another model takes its turn: then all is as after a reset. */
void session_start(void);

/* The model that is open; NULL: the plan was refused, for session_status(). */
infer_t *session_model(void);
infer_status_t session_status(void);

/* CRC-32 of the plan. */
uint32_t session_plan_crc(void);

/* How often session_start() has opened a model. */
uint32_t session_opened(void);

/* Answers a request that has nothing else to say. */
void session_acknowledge(uint32_t seq, uint32_t status);

/* Carries out one request and answers it. Every request may be repeated without harm: a `run` of
 * the last window with the same inputs gets the last result again, and the model's state stays as
 * that run left it. One that has failed is not tried again either: its result says so. */
void session_handle(const wire_request_t *request);

#endif
