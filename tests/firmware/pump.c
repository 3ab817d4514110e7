/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What main() does with received bytes, as one call.
 */
#include "app/console.h"
#include "app/session.h"

void pump(void);

void pump(void)
{
    wire_request_t request;
    while (console_receive(&request)) {
        session_handle(&request);
    }
}
