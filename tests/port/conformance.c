/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A program that holds a port against the contracts of firmware/hal and says over the UART what it
 * found: one line each, "good ..." or "BAD ...". It runs several times, from reset to reset: each
 * run is known by how the one before ended.
 *
 * Made with -DFLASH_OFFSET= (two blocks that may be used) and -DHAS_WATCHDOG= (it bites here).
 */
#include <string.h>

#include "core/text.h"
#include "gen/board_config.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/flash.h"
#include "hal/restart.h"
#include "hal/uart.h"
#include "hal/watchdog.h"

#define BLOCK     BOARD_FLASH_ERASE_SIZE
#define LAST      (FLASH_OFFSET + BLOCK - 4) /* last unit of the first block */
#define NOTED     23u
#define PERIOD_MS 200u

void uart_on_receive(uint8_t byte)
{
    (void)byte;
}

static void say(const char *verdict, const char *what)
{
    text_t text = {0};
    text_string(&text, verdict);
    text_string(&text, what);
    text_end(&text);
    uart_write(text.bytes, text.length);
}

static void check(bool good, const char *what)
{
    say(good ? "good " : "BAD ", what);
}

static bool is_all(uint32_t offset, uint32_t length, uint8_t byte)
{
    const uint8_t *bytes = flash_at(offset);
    for (uint32_t i = 0; i < length; i++) {
        if (bytes[i] != byte) {
            return false;
        }
    }
    return true;
}

static bool has(uint32_t offset, const void *data, uint32_t length)
{
    return memcmp(flash_at(offset), data, length) == 0;
}

/* Data that begin at an odd address. */
static const uint8_t *sample(void)
{
    static uint8_t bytes[1 + 256 + 3];
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 37 + 11);
    }
    return bytes + 1;
}

static void check_erase_and_program(void)
{
    const uint8_t *data = sample();
    check(flash_erase(FLASH_OFFSET) && flash_erase(FLASH_OFFSET + BLOCK), "erase");
    check(is_all(FLASH_OFFSET, 2 * BLOCK, 0xFF), "what is erased reads as ones");
    check(flash_program(FLASH_OFFSET + 8, data, 256), "program");
    check(has(FLASH_OFFSET + 8, data, 256), "what is programmed can be read");
    check(is_all(FLASH_OFFSET, 8, 0xFF) && is_all(FLASH_OFFSET + 264, BLOCK - 264, 0xFF),
          "nothing else is programmed");
    check(flash_program(FLASH_OFFSET, data, 0) && is_all(FLASH_OFFSET, 8, 0xFF),
          "nothing may be programmed");
    check(flash_program(LAST, data, 4) && has(LAST, data, 4), "the last unit of a block");
    check(flash_program(FLASH_OFFSET + BLOCK, data, 4), "the first unit of the next block");
    check(flash_erase(FLASH_OFFSET) && is_all(FLASH_OFFSET, BLOCK, 0xFF), "erase again");
    check(has(FLASH_OFFSET + BLOCK, data, 4), "the next block is left alone");
}

static void check_programmed_once(void)
{
    static const uint8_t first[8] = {0xF0, 0xF0, 0xF0, 0xF0, 0xF0, 0xF0, 0xF0, 0xF0};
    static const uint8_t other[8] = {0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C, 0x3C};
    check(flash_program(FLASH_OFFSET, first, 4), "program once");
    check(!flash_program(FLASH_OFFSET, other, 8), "not twice");
    uint32_t after;
    memcpy(&after, flash_at(FLASH_OFFSET), sizeof after);
    check((after & ~0xF0F0F0F0u) == 0, "no bit is set by programming");
    check(flash_erase(FLASH_OFFSET) && flash_program(FLASH_OFFSET, other, 8), "once more");
}

static void check_interrupts(void)
{
    uint32_t irq = cpu_irq_disable();
    bool good = flash_program(FLASH_OFFSET + 16, sample(), 4);
    uint32_t inner = cpu_irq_disable();
    cpu_irq_restore(inner);
    check(good && inner != irq, "the flash leaves interrupts disabled");
    cpu_irq_restore(irq);
    uint32_t outer = cpu_irq_disable();
    cpu_irq_restore(outer);
    check(outer == irq, "and enabled");
}

static void wait_ms(uint32_t milliseconds)
{
    uint32_t start = clock_ticks();
    while (clock_ticks() - start < board.timer_hz / 1000 * milliseconds) {
    }
}

static void check_watchdog_waits(void)
{
    watchdog_start(PERIOD_MS);
    for (uint32_t i = 0; i < 4; i++) {
        wait_ms(PERIOD_MS / 2);
        watchdog_feed();
    }
    check(true, "a watchdog that is fed does not bite");
    watchdog_stop();
    wait_ms(2 * PERIOD_MS);
    watchdog_start(2 * PERIOD_MS);
    wait_ms(PERIOD_MS);
    watchdog_stop();
    check(true, "nor does one that is stopped");
}

extern char __executable_start[] __attribute__((weak)); /* the linker's, for a process */

/* Addresses of a process count from its beginning. */
static bool is_in(uint32_t pc, void (*function)(void))
{
    uintptr_t start = ((uintptr_t)function & ~(uintptr_t)1) - (uintptr_t)__executable_start;
    return pc >= start && pc - start < 64;
}

__attribute__((noinline)) static void crash(void)
{
    __builtin_trap();
}

__attribute__((noinline)) static void hang(void)
{
    for (;;) {
    }
}

static void check_handoff(const restart_t *restart)
{
    handoff_t none;
    check(!handoff_take(&none), "nothing is handed over that was not given");
    handoff_give(&(handoff_t){.restart = *restart, .slot = 1, .trial = true});
    handoff_t taken;
    check(handoff_take(&taken) && taken.slot == 1 && taken.trial && taken.restart.kept &&
              taken.restart.reason == NOTED && taken.restart.exception == 1 &&
              taken.restart.pc == 2 && taken.restart.lr == 3,
          "what is handed over arrives");
    check(!handoff_take(&none), "once");
}

static void first_run(void)
{
    restart_t again = restart_take();
    check(again.kept && again.reason == 0, "taken once, the reason is gone, the RAM is not");
    check_erase_and_program();
    check_programmed_once();
    check_interrupts();
    restart_note(NOTED, 1, 2, 3);
    cpu_reset();
}

static void after_note(const restart_t *restart)
{
    check(restart->exception == 1 && restart->pc == 2 && restart->lr == 3,
          "a reset keeps what was noted");
    check(!is_all(FLASH_OFFSET, 8, 0xFF), "and the flash");
    check_handoff(restart);
    crash();
}

static void after_fault(const restart_t *restart)
{
    check(restart->exception != 0 && is_in(restart->pc, crash), "a fault says where it was");
    if (HAS_WATCHDOG) {
        check_watchdog_waits();
        watchdog_start(PERIOD_MS);
        hang();
    }
    cpu_reset();
}

static void after_watchdog(const restart_t *restart)
{
    check(is_in(restart->pc, hang), "the watchdog says where it hung");
    cpu_reset();
}

int main(void)
{
    clock_start();
    uart_start();
    flash_start();
    cpu_irq_enable();
    restart_t restart = restart_take();
    if (!restart.kept) {
        say("first", "");
        first_run();
    }
    switch (restart.reason) {
    case NOTED:
        after_note(&restart);
        break;
    case RESTART_FAULT:
        after_fault(&restart);
        break;
    case RESTART_WATCHDOG:
        after_watchdog(&restart);
        break;
    default:
        check(restart.reason == 0, "a reset that nobody explains");
        break;
    }
    say("done", "");
    for (;;) {
        uint32_t irq = cpu_irq_disable();
        cpu_sleep();
        cpu_irq_restore(irq);
    }
}
