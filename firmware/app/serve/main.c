/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The firmware that does what a host asks for: sleeps until a request comes in over the serial
 * port, carries it out, sleeps. To measure models with; app/wake is what a product ships.
 */
#include "app/console.h"
#include "app/session.h"
#include "app/start.h"
#include "app/updates.h"
#include "core/loop.h"
#include "hal/cpu.h"
#include "hal/uart.h"

enum { EVENT_RECEIVED };

static void on_received(void)
{
    wire_request_t request;
    while (console_receive(&request)) {
        session_handle(&request);
    }
}

static loop_t loop = {.handlers = {[EVENT_RECEIVED] = on_received}};

void uart_on_receive(uint8_t byte)
{
    console_put(byte);
    loop_post(&loop, EVENT_RECEIVED);
}

int main(void)
{
    start();
    session_start();
    for (;;) {
        loop_dispatch(&loop);
        updates_progress();
        start_sleep(&loop);
    }
}
