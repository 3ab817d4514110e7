/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The event loop: interrupts post events, the loop calls their handlers one after the other, and
 * the caller sleeps when nothing is pending:
 *
 *     for (;;) {
 *         loop_dispatch(&loop);
 *         irq = cpu_irq_disable();
 *         if (!loop_pending(&loop)) {
 *             cpu_sleep();            a post between check and sleep still wakes it
 *         }
 *         cpu_irq_restore(irq);
 *     }
 */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_EVENTS 8

typedef void (*loop_handler_t)(void);

/* Event number i is handled by handlers[i]; lower numbers first. Each event has a byte of its
 * own, so that posting is one store, atomic on every core without disabling interrupts. */
typedef struct {
    loop_handler_t handlers[LOOP_EVENTS]; /* set before the first post; none is called if NULL */
    volatile bool pending[LOOP_EVENTS];   /* private */
} loop_t;

/* Marks `event` (< LOOP_EVENTS) as pending. From interrupts or handlers. Posting twice before the
 * handler runs calls it once. */
void loop_post(loop_t *loop, uint32_t event);

/* True if a handler is due. */
bool loop_pending(const loop_t *loop);

/* Calls the handlers of all events that are pending, and of those they post, until none is. An
 * event is cleared before its handler runs: a post during the handler is not lost. */
void loop_dispatch(loop_t *loop);

#endif
