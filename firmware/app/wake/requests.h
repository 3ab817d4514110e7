/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Carries out what a host asks of a sleeping device (firmware/wire/records.toml); the rest are the
 * session's.
 */
#ifndef APP_WAKE_REQUESTS_H
#define APP_WAKE_REQUESTS_H

#include <stdbool.h>

#include "gen/wire_records.h"

/* Carries out one request and answers it. False: it is one for the session. */
bool requests_handle(const wire_request_t *request);

/* The sensor may want samples of the host: asks for them, once for the same ones. `again` asks
 * anyhow. True: some are wanted. */
bool requests_need(bool again);

#endif
