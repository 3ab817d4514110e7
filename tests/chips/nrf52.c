/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A program that does with the port of the nRF52 what test_nrf52.py tells it, a byte a command;
 * what is no command comes back. At each start it says what the chip and the run before say of it.
 */
#include "core/text.h"
#include "gen/board_config.h"
#include "hal/alarm.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/flash.h"
#include "hal/pin.h"
#include "hal/restart.h"
#include "hal/uart.h"
#include "hal/watchdog.h"

#define FLOOD_BYTES 2048u
#define BITE_MS     100u
#define PAGE        (200 * BOARD_FLASH_ERASE_SIZE)

static uint8_t heard[4096];
static volatile uint32_t heard_count;
static uint32_t taken;
static volatile bool rings, edges;

void uart_on_receive(uint8_t byte)
{
    if (heard_count < sizeof heard) {
        heard[heard_count] = byte;
    }
    heard_count = heard_count + 1;
}

void alarm_on_ring(void)
{
    rings = true;
}

void pin_on_edge(void)
{
    edges = true;
}

static void say(const char *what, uint32_t number)
{
    text_t text = {0};
    text_string(&text, what);
    text_uint(&text, number);
    text_end(&text);
    uart_write(text.bytes, text.length);
}

static bool is_idle(void)
{
    return heard_count == taken && !rings && !edges;
}

/* Sleeps once, until something has happened. */
static void doze(void (*how)(void))
{
    while (is_idle()) {
        uint32_t irq = cpu_irq_disable();
        if (is_idle()) {
            how();
        }
        cpu_irq_restore(irq);
        if (how == cpu_sleep_deep) {
            break; /* the byte that wakes is lost: nothing may have happened */
        }
    }
}

static void sleep_deeply(void)
{
    uint32_t start = clock_ticks();
    doze(cpu_sleep_deep);
    say(rings ? "ring after " : edges ? "edge after " : "awake after ", clock_ticks() - start);
    rings = edges = false;
}

/* Erases while bytes come in, then says what has come. */
static void flood(void)
{
    uint32_t word = 0;
    uint32_t first = taken;
    do {
        (void)flash_program(PAGE, &word, sizeof word);
        (void)flash_erase(PAGE);
    } while (heard_count - first < FLOOD_BYTES);
    uart_write(heard + first, FLOOD_BYTES);
    taken = heard_count;
}

static void hang(void)
{
    watchdog_start(BITE_MS);
    for (;;) {
    }
}

static void sleep_for_ever(void)
{
    watchdog_start(BITE_MS);
    for (;;) {
        uint32_t irq = cpu_irq_disable();
        cpu_sleep();
        cpu_irq_restore(irq);
    }
}

static void obey(uint8_t command)
{
    switch (command) {
    case 'A':
        alarm_set(clock_ticks() + board.timer_hz);
        break;
    case 'C':
        alarm_cancel();
        break;
    case 'D':
        sleep_deeply();
        break;
    case 'F':
        flood();
        break;
    case 'H':
        hang();
        break;
    case 'M':
        (void)cpu_irq_disable();
        hang();
        break;
    case 'R':
        cpu_reset();
    case 'S':
        sleep_for_ever();
        break;
    default:
        uart_write(&command, 1);
        break;
    }
}

int main(void)
{
    clock_start();
    uart_start();
    flash_start();
    pin_start();
    cpu_irq_enable();
    restart_t restart = restart_take();
    say("cause ", restart.cause);
    say("reason ", restart.reason);
    for (;;) {
        doze(cpu_sleep);
        while (taken != heard_count) {
            obey(heard[taken++]);
        }
        if (edges) {
            edges = false;
            say("edge after ", 0);
        }
        rings = false;
    }
}
