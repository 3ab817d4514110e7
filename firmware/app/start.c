/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See start.h.
 */
#include "app/start.h"

#include "app/console.h"
#include "app/updates.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/uart.h"

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

restart_t start(void)
{
    clock_start();
    uart_start();
    cpu_irq_enable();
    restart_t restart = updates_start();
    print_banner();
    print_restart(&restart);
    updates_test();
    return restart;
}

void start_sleep(const loop_t *loop)
{
    uint32_t irq = cpu_irq_disable();
    if (!loop_pending(loop)) {
        cpu_sleep();
    }
    cpu_irq_restore(irq);
}

void start_sleep_deep(const loop_t *loop)
{
    uint32_t irq = cpu_irq_disable();
    if (!loop_pending(loop)) {
        cpu_sleep_deep();
    }
    cpu_irq_restore(irq);
}
