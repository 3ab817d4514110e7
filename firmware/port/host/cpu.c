/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/cpu.h as a process.
 */
#include "hal/cpu.h"

#include <stdlib.h>

#include "hal/watchdog.h"
#include "port/host/host.h"

static uint32_t masked = 1;

uint32_t cpu_irq_disable(void)
{
    uint32_t state = masked;
    masked = 1;
    return state;
}

void cpu_irq_restore(uint32_t state)
{
    masked = state;
    if (state == 0) {
        host_uart_interrupt();
    }
}

void cpu_irq_enable(void)
{
    cpu_irq_restore(0);
}

void cpu_sleep(void)
{
    host_uart_wait(HOST_READABLE);
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
