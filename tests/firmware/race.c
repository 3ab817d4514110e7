/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A CPU whose only interrupt comes at a chosen point: what is tested is compiled so that it says
 * here whenever it enters a block of its code, and the CPU adds a point of its own wherever it does
 * something. Point 1 is the first. An interrupt that is masked waits.
 */
#include <setjmp.h>

#include "app/console.h"
#include "app/start.h"
#include "app/updates.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/uart.h"

enum { EVENT = 5 };

uint32_t race_points;  /* that were passed */
uint32_t race_handled; /* events */
uint32_t race_slept;
bool race_lost; /* slept although an event was pending and nothing would wake it */

void __sanitizer_cov_trace_pc(void);
bool race_run(uint32_t at, bool careless);

static uint32_t chosen;
static uint32_t masked;
static bool is_pending;
static bool is_busy; /* the handler of the interrupt runs: it is no point for another one */
static jmp_buf ended;

static void on_event(void)
{
    race_handled++;
}

static loop_t loop = {.handlers = {[EVENT] = on_event}};

static void take_interrupt(void)
{
    if (is_pending && masked == 0) {
        is_pending = false;
        is_busy = true;
        loop_post(&loop, EVENT);
        is_busy = false;
    }
}

static void point(void)
{
    if (is_busy) {
        return;
    }
    if (++race_points == chosen) {
        is_pending = true;
    }
    take_interrupt();
}

void __sanitizer_cov_trace_pc(void)
{
    point();
}

uint32_t cpu_irq_disable(void)
{
    point();
    uint32_t before = masked;
    masked = 1;
    point();
    return before;
}

void cpu_irq_restore(uint32_t state)
{
    point();
    masked = state;
    point();
}

/* Nothing but the interrupt wakes it: one that has not come yet comes now. */
void cpu_sleep(void)
{
    point();
    race_slept++;
    if (is_pending) {
        return;
    }
    if (race_points >= chosen) {
        race_lost = race_handled == 0;
        longjmp(ended, 1);
    }
    race_points = chosen;
    is_pending = true;
}

void cpu_sleep_deep(void)
{
    cpu_sleep();
}

/* Looks first and masks then: for showing that the race is one. */
static void careless_sleep(void)
{
    bool has_work = loop_pending(&loop);
    uint32_t irq = cpu_irq_disable();
    if (!has_work) {
        cpu_sleep();
    }
    cpu_irq_restore(irq);
}

static void run(bool careless)
{
    for (;;) {
        loop_dispatch(&loop);
        if (careless) {
            careless_sleep();
        } else {
            start_sleep(&loop);
        }
    }
}

/* The loop from reset until it sleeps for ever; the interrupt comes at point `at`. Returns true if
 * its event was handled once before. */
bool race_run(uint32_t at, bool careless)
{
    chosen = at;
    race_points = 0;
    race_handled = 0;
    race_slept = 0;
    race_lost = false;
    masked = 0;
    is_pending = false;
    is_busy = false;
    loop.pending[EVENT] = false;
    if (setjmp(ended) == 0) {
        run(careless);
    }
    return race_handled == 1 && !race_lost;
}

/* ---- what else app/start.c calls, and nobody here */

const board_t board = {.name = "race"};

void clock_start(void)
{
}

void uart_start(void)
{
}

void cpu_irq_enable(void)
{
}

void uart_write(const void *bytes, size_t length)
{
    (void)bytes;
    (void)length;
}

void console_print(text_t *text)
{
    (void)text;
}

restart_t updates_start(void)
{
    return (restart_t){0};
}

void updates_describe(text_t *text)
{
    (void)text;
}

void updates_test(void)
{
}
