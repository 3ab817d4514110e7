/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A program with nothing but a port: calls.py calls its functions one by one, as a test wants.
 */
#include "gen/board_config.h"
#include "hal/alarm.h"
#include "hal/board.h"
#include "hal/boot.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/flash.h"
#include "hal/pin.h"
#include "hal/restart.h"
#include "hal/uart.h"
#include "hal/watchdog.h"

volatile uint32_t rings;
volatile uint32_t edges;
volatile uint32_t received_count;
uint8_t received[256];
uint32_t scratch[1024];

void calls_returned(void);

void alarm_on_ring(void)
{
    rings = rings + 1;
}

void pin_on_edge(void)
{
    edges = edges + 1;
}

void uart_on_receive(uint8_t byte)
{
    received[received_count % sizeof received] = byte;
    received_count = received_count + 1;
}

/* Where functions return to: tells, by a store to where nothing is, and waits for the next. */
__attribute__((naked, used)) void calls_returned(void)
{
    __asm volatile("ldr r1, =0x5FFFF000\n\t"
                   "str r0, [r1]\n\t"
                   "b .\n\t"
                   ".ltorg");
}

/* As the event loop sleeps, with interrupts masked: until the alarm has rung, an edge or a byte has
 * come. */
uint32_t sleep_deep_until_something(void)
{
    uint32_t before = rings + edges + received_count;
    while (rings + edges + received_count == before) {
        uint32_t irq = cpu_irq_disable();
        if (rings + edges + received_count == before) {
            cpu_sleep_deep();
        }
        cpu_irq_restore(irq);
    }
    return clock_ticks();
}

uint32_t take_cause(void)
{
    restart_t restart = restart_take();
    return (uint32_t)restart.cause << 8 | restart.reason;
}

void hang(void)
{
    for (;;) {
    }
}

void hang_masked(void)
{
    (void)cpu_irq_disable();
    hang();
}

/* Never reached: they keep the port's functions in the program. */
static void keep(void)
{
    (void)flash_erase(0);
    (void)flash_program(0, scratch, 4);
    alarm_set(0);
    alarm_cancel();
    uart_write(scratch, 4);
    watchdog_start(1);
    watchdog_feed();
    watchdog_stop();
    (void)sleep_deep_until_something();
    (void)take_cause();
    hang_masked();
    cpu_reset();
}

volatile bool keeps;

int main(void)
{
    clock_start();
    uart_start();
    flash_start();
    pin_start();
    cpu_irq_enable();
    if (keeps) {
        keep();
    }
    calls_returned();
    return 0;
}
