/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Answers the host's requests (firmware/wire/records.toml) with the model that runs.
 */
#ifndef APP_SESSION_H
#define APP_SESSION_H

#include "gen/wire_records.h"

/* Checks and opens the plan that has to run, then says `hello`. A plan that is refused is never
 * run: `hello` says why, everything else is answered with no_model. Again, when another model takes
 * its turn: then all is as after a reset. */
void session_start(void);

/* Carries out one request and answers it. Every request may be repeated without harm: a `run` of
 * the last window with the same inputs gets the last result again, and the model's state stays as
 * that run left it. */
void session_handle(const wire_request_t *request);

#endif
