/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * An application of its own: sleeps, wakes twice a second, asks the model about its readings, and
 * prints a line. A host is served besides, so that it can be updated like any torpor firmware.
 */
#include "app/console.h"
#include "app/report.h"
#include "app/session.h"
#include "app/start.h"
#include "app/updates.h"
#include "core/loop.h"
#include "hal/alarm.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/uart.h"
#include "readings.h"

enum { EVENT_RECEIVED, EVENT_TIME };

static void tell(uint32_t window, const char *word)
{
    text_t text = {0};
    text_string(&text, "readings ");
    text_uint(&text, window * READINGS);
    text_string(&text, " to ");
    text_uint(&text, window * READINGS + READINGS - 1);
    text_string(&text, ": ");
    text_string(&text, word);
    console_print(&text);
}

static void tell_falling(uint32_t window)
{
    tell(window, "falling");
}

static void tell_level(uint32_t window)
{
    tell(window, "level");
}

static void tell_rising(uint32_t window)
{
    tell(window, "rising");
}

/* By class of the model. A call through a pointer: app.toml says where it may lead. */
static void (*const tellers[])(uint32_t window) = {tell_falling, tell_level, tell_rising};

static void on_received(void)
{
    wire_request_t request;
    while (console_receive(&request)) {
        session_handle(&request);
    }
}

/* Another model may have come by an update: one that is not about so many readings is left alone.
 */
static void on_time(void)
{
    static uint32_t window;
    infer_t *model = session_model();
    alarm_set(clock_ticks() + board.timer_hz / 2);
    if (model != NULL && infer_input_bytes(model, 0) == READINGS &&
        infer_output_bytes(model, 0) == sizeof tellers / sizeof *tellers) {
        readings_take(window, infer_input(model, 0));
        infer_status_t status = infer_invoke(model);
        if (status == INFER_OK) {
            tellers[report_best(model)](window);
        } else {
            tell(window, infer_status_name(status));
        }
        window++;
    }
}

static loop_t loop = {.handlers = {[EVENT_RECEIVED] = on_received, [EVENT_TIME] = on_time}};

void uart_on_receive(uint8_t byte)
{
    console_put(byte);
    loop_post(&loop, EVENT_RECEIVED);
}

void alarm_on_ring(void)
{
    loop_post(&loop, EVENT_TIME);
}

int main(void)
{
    start();
    session_start();
    loop_post(&loop, EVENT_TIME);
    for (;;) {
        loop_dispatch(&loop);
        updates_progress();
        start_sleep(&loop);
    }
}
