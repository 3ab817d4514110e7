/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * app/serve/main.c as a function that returns where the CPU would sleep, on a CPU of the tests'
 * own.
 */
#define main firmware_main
#include "app/serve/main.c"
#undef main

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

restart_t shim_restart;
uint8_t shim_arriving[1024]; /* received just before interrupts are next disabled */
uint32_t shim_arriving_length;
uint32_t shim_slept;

static jmp_buf awake;
static uint32_t masked = 1;
static uint32_t started;

void shim_boot(void);

/* What the firmware must not do ends the process: there is no way to go on from inside it. */
static void insist(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "the firmware must not %s\n", what);
        abort();
    }
}

void clock_start(void)
{
    insist(masked != 0, "start the clock with interrupts enabled");
    started |= 1;
}

void uart_start(void)
{
    insist(masked != 0, "start the UART with interrupts enabled");
    started |= 2;
}

void cpu_irq_enable(void)
{
    insist(started == 3, "enable interrupts before clock and UART have started");
    masked = 0;
}

uint32_t cpu_irq_disable(void)
{
    uint32_t before = masked;
    for (uint32_t i = 0; i < shim_arriving_length; i++) {
        uart_on_receive(shim_arriving[i]);
    }
    shim_arriving_length = 0;
    masked = 1;
    return before;
}

void cpu_irq_restore(uint32_t state)
{
    masked = state;
}

void cpu_sleep(void)
{
    insist(masked != 0, "sleep with interrupts enabled");
    shim_slept++;
    longjmp(awake, 1);
}

void cpu_sleep_deep(void)
{
    cpu_sleep();
}

restart_t restart_take(void)
{
    restart_t restart = shim_restart;
    shim_restart = (restart_t){0};
    return restart;
}

/* Runs the firmware from reset to its first sleep. */
void shim_boot(void)
{
    masked = 1;
    started = 0;
    if (setjmp(awake) == 0) {
        firmware_main();
    }
}
