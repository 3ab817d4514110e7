/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The serial console: requests in, records and text out, on one wire with the management, which is
 * handed every byte too (app/updates.h).
 */
#ifndef APP_CONSOLE_H
#define APP_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/text.h"
#include "gen/wire_records.h"

/* Keeps one received byte for console_receive(). From the receive interrupt. */
void console_put(uint8_t byte);

/* Works through the received bytes up to the next complete request. False: none is there yet.
 * The request's bytes stay valid until the next call. */
bool console_receive(wire_request_t *request);

/* Sends a payload as a frame. Length 0 (a record that did not fit) sends nothing. Blocks. */
void console_send(const uint8_t *payload, size_t length);

/* Ends the text's line and sends it. Blocks. */
void console_print(text_t *text);

/* How the link has fared since start. */
wire_counters_t console_counters(void);

#endif
