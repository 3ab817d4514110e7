/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The firmware: sleeps until a request comes in over the serial port, carries it out, sleeps.
 */
#include "app/console.h"
#include "app/session.h"
#include "app/updates.h"
#include "core/loop.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/restart.h"
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

/* The run before may have ended in the middle of a line. */
static void print_banner(void)
{
    uart_write("\n", 1);
    text_t text = {0};
    text_string(&text, "torpor on ");
    text_string(&text, board.name);
    updates_describe(&text);
    console_print(&text);
}

/* Tells where the last run ended, if it did so by a fault or the watchdog. */
static void print_restart(const restart_t *restart)
{
    if (restart->reason != RESTART_FAULT && restart->reason != RESTART_WATCHDOG) {
        return;
    }
    text_t text = {0};
    text_string(&text, "restarted after exception ");
    text_uint(&text, restart->exception);
    text_string(&text, " at ");
    text_hex(&text, restart->pc);
    text_string(&text, ", called from ");
    text_hex(&text, restart->lr);
    console_print(&text);
}

/* Sleeps unless an event is pending. It cannot become pending unseen between check and sleep:
 * interrupts are disabled, and one that is pending ends the sleep. */
static void sleep_if_idle(void)
{
    uint32_t irq = cpu_irq_disable();
    if (!loop_pending(&loop)) {
        cpu_sleep();
    }
    cpu_irq_restore(irq);
}

int main(void)
{
    clock_start();
    uart_start();
    cpu_irq_enable();
    restart_t restart = updates_start();
    print_banner();
    print_restart(&restart);
    updates_test();
    session_start();
    for (;;) {
        loop_dispatch(&loop);
        updates_progress();
        sleep_if_idle();
    }
}
