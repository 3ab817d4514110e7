/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/cpu.h as a process.
 */
#include "hal/cpu.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "hal/watchdog.h"
#include "port/host/host.h"

#define SOURCES 3 /* UART, alarm, pin */

static uint32_t masked = 1;
static struct pollfd sources[SOURCES];
static void (*handlers[SOURCES])(void);
static nfds_t source_count;

void host_listen(int file, void (*take)(void))
{
    if (source_count == SOURCES) {
        abort();
    }
    sources[source_count] = (struct pollfd){.fd = file, .events = POLLIN};
    handlers[source_count++] = take;
}

uint32_t cpu_irq_disable(void)
{
    uint32_t state = masked;
    masked = 1;
    return state;
}

void cpu_irq_restore(uint32_t state)
{
    masked = state;
    for (nfds_t i = 0; state == 0 && i < source_count; i++) {
        handlers[i]();
    }
}

void cpu_irq_enable(void)
{
    cpu_irq_restore(0);
}

void cpu_sleep(void)
{
    while (poll(sources, source_count, -1) < 0) {
        if (errno != EINTR) {
            host_fail("poll");
        }
    }
}

/* A reset stops the watchdog, whose timer an exec() would not. */
void cpu_reset(void)
{
    watchdog_stop();
    if (host_process.boot >= 0) {
        host_execute(host_process.boot);
    }
    exit(EXIT_FAILURE);
}

uint32_t cpu_stack_used(void)
{
    return 0;
}
