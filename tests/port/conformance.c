/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A program that holds a port against the contracts of firmware/hal and says over the UART what it
 * found: one line each, "good ..." or "BAD ...". It runs several times, from reset to reset: each
 * run is known by how the one before ended.
 *
 * Made with -DFLASH_OFFSET= (two blocks that may be used), -DHAS_WATCHDOG= (it bites here),
 * -DWATCHDOG_STOPS= (its hardware can be stopped),
 * -DIS_EXACT= (time is that of the program alone, and sleeping takes none of the world's),
 * -DFAULT_STATUS= (the CPU's word about an undefined instruction), -DALARMS= and -DPHASES= (how
 * many alarms, how many ticks apart, are to lose none), and -DIS_CARELESS=1 to lose some.
 */
#include <string.h>

#include "core/text.h"
#include "gen/board_config.h"
#include "hal/alarm.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/flash.h"
#include "hal/pin.h"
#include "hal/restart.h"
#include "hal/trace.h"
#include "hal/uart.h"
#include "hal/watchdog.h"

#define BLOCK     BOARD_FLASH_ERASE_SIZE
#define LAST      (FLASH_OFFSET + BLOCK - 4) /* last unit of the first block */
#define NOTED     23u
#define PERIOD_MS 200u
#define STEPS     11u /* more than a trace keeps */
#define MS        (board.timer_hz / 1000)

static volatile uint32_t rings;
static volatile uint32_t edges;

void uart_on_receive(uint8_t byte)
{
    (void)byte;
}

void alarm_on_ring(void)
{
    rings = rings + 1;
}

void pin_on_edge(void)
{
    edges = edges + 1;
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

/* Instructions, not ticks: where a tick is many of them, alarms come at each all the same. */
static void pass(uint32_t instructions)
{
    for (volatile uint32_t i = 0; i < instructions; i++) {
    }
}

/* Looking at the clock all the time takes an emulator minutes. */
static void wait_ms(uint32_t milliseconds)
{
    uint32_t start = clock_ticks();
    while (clock_ticks() - start < MS * milliseconds) {
        cpu_irq_restore(cpu_irq_disable()); /* where a process takes its interrupts */
        pass(100);
    }
}

/* What was said is given the time to leave the UART: a reset cuts it off. */
static void drain(void)
{
    wait_ms(2);
}

/* As the event loop sleeps: it looks under a mask, and a wake-up between the look and the sleep
 * must not be lost. */
static void sleep_until_ring(uint32_t before)
{
    while (rings == before) {
        bool was_idle = rings == before;
        uint32_t irq = cpu_irq_disable();
        if (IS_CARELESS ? was_idle : rings == before) {
            cpu_sleep();
        }
        cpu_irq_restore(irq);
    }
}

/* Sets an alarm `ahead` ticks from now and sleeps until it rings. Returns by how much it was late.
 */
static int32_t alarm_lateness(int32_t ahead)
{
    uint32_t before = rings;
    uint32_t due = clock_ticks() + (uint32_t)ahead;
    alarm_set(due);
    sleep_until_ring(before);
    return (int32_t)(clock_ticks() - due);
}

static bool is_on_time(int32_t late)
{
    return late >= 0 && (!IS_EXACT || late <= (int32_t)MS);
}

static void check_alarm(void)
{
    check(is_on_time(alarm_lateness(0)) && is_on_time(alarm_lateness(1)), "an alarm now");
    check(alarm_lateness(-1) > 0 && alarm_lateness(INT32_MIN / 2) > 0, "one that is past rings");
    check(is_on_time(alarm_lateness((int32_t)MS)), "in a millisecond");
    check(is_on_time(alarm_lateness((int32_t)(50 * MS))), "in fifty");
    uint32_t before = rings;
    wait_ms(2);
    check(rings == before, "an alarm rings once");
}

static void check_alarm_is_forgotten(void)
{
    uint32_t before = rings;
    uint32_t far = clock_ticks() + (1u << 30);
    alarm_set(clock_ticks() + MS);
    alarm_set(far);
    wait_ms(2);
    check(rings == before, "an alarm that is set anew is forgotten");
    alarm_set(clock_ticks() + MS);
    alarm_cancel();
    wait_ms(2);
    check(rings == before, "so is one that is cancelled");
    uint32_t irq = cpu_irq_disable();
    alarm_set(clock_ticks());
    wait_ms(1);
    check(rings == before, "no alarm rings while interrupts are disabled");
    alarm_set(far);
    cpu_irq_restore(irq);
    check(rings == before, "one that has not rung yet is forgotten");
    check(alarm_lateness((int32_t)MS) >= 0, "and a new one rings");
    check(rings == before + 1, "once");
}

/* Alarms over the whole range of the clock, from one into the next. */
static void check_alarm_at_the_wrap(void)
{
    bool good = true;
    for (uint32_t i = 0; IS_EXACT && i < 5; i++) {
        good = good && is_on_time(alarm_lateness(INT32_MAX));
    }
    uint32_t wrap = 0u - clock_ticks();
    good = good && (!IS_EXACT || wrap > 1000 * MS);
    good = good && (!IS_EXACT || is_on_time(alarm_lateness((int32_t)(wrap / 2))));
    good = good && (!IS_EXACT || is_on_time(alarm_lateness((int32_t)(0u - clock_ticks()))));
    check(good, "an alarm far ahead, and one at the wrap of the clock");
}

/* The alarm comes at each instruction between setting it, looking, sleeping and waking. One that is
 * lost wakes nobody, or what wakes is another interrupt, and late. */
static void check_no_wake_up_is_lost(void)
{
    bool good = true;
    for (uint32_t i = 0; i < ALARMS; i++) {
        pass(i % 23);
        good = good && is_on_time(alarm_lateness((int32_t)(i % PHASES)));
    }
    check(good, "no wake-up is lost, whenever the alarm comes");
}

static void note_steps(void)
{
    for (uint16_t i = 0; i < STEPS; i++) {
        trace_note(i, (uint16_t)(1000 + i));
    }
}

/* What the run before has left are the last steps that note_steps() notes there. */
static void check_trace(uint32_t reason, trace_counts_t expected)
{
    trace_entry_t entries[TRACE_ENTRIES];
    uint32_t count = trace_start(entries, reason);
    bool good = count == TRACE_ENTRIES;
    for (uint32_t i = 0; good && i < count; i++) {
        uint32_t step = STEPS - TRACE_ENTRIES + i;
        good = entries[i].what == step && entries[i].value == 1000 + step &&
               (i == 0 || entries[i].time - entries[i - 1].time < MS);
    }
    check(good, "a reset keeps the last steps");
    trace_counts_t counts = trace_counts();
    check(memcmp(&counts, &expected, sizeof counts) == 0, "and counts how runs have ended");
    note_steps();
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
    if (WATCHDOG_STOPS) {
        wait_ms(2 * PERIOD_MS);
        watchdog_start(2 * PERIOD_MS);
        wait_ms(PERIOD_MS);
        watchdog_stop();
    } else {
        (void)alarm_lateness((int32_t)(2 * PERIOD_MS * MS)); /* it waits while the CPU sleeps */
    }
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
              taken.restart.pc == 2 && taken.restart.lr == 3 && taken.restart.cfsr == 0,
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
    check_alarm();
    check_alarm_is_forgotten();
    check_alarm_at_the_wrap();
    check_no_wake_up_is_lost();
    trace_entry_t none[TRACE_ENTRIES];
    trace_counts_t counts = {0};
    check(trace_start(none, 0) == 0, "no steps are left after power loss");
    trace_counts_t found = trace_counts();
    check(memcmp(&found, &counts, sizeof counts) == 0, "and nothing was counted");
    note_steps();
    drain();
    restart_note(NOTED, 1, 2, 3);
    cpu_reset();
}

static void after_note(const restart_t *restart)
{
    check(restart->exception == 1 && restart->pc == 2 && restart->lr == 3,
          "a reset keeps what was noted");
    check(!is_all(FLASH_OFFSET, 8, 0xFF), "and the flash");
    check(restart->cfsr == 0, "who notes a restart says nothing of the CPU");
    check_trace(NOTED, (trace_counts_t){.resets = 1});
    check_handoff(restart);
    drain();
    crash();
}

static void after_fault(const restart_t *restart)
{
    check(restart->exception != 0 && is_in(restart->pc, crash), "a fault says where it was");
    check(restart->cfsr == FAULT_STATUS, "and the CPU what it was");
    handoff_t handed;
    handoff_give(&(handoff_t){.restart = *restart});
    check(handoff_take(&handed) && handed.restart.cfsr == FAULT_STATUS, "to applications too");
    check_trace(RESTART_FAULT, (trace_counts_t){.resets = 1, .faults = 1});
    if (HAS_WATCHDOG) {
        check_watchdog_waits();
        watchdog_start(PERIOD_MS);
        hang();
    }
    drain();
    cpu_reset();
}

static void after_watchdog(const restart_t *restart)
{
    check(is_in(restart->pc, hang), "the watchdog says where it hung");
    check_trace(RESTART_WATCHDOG, (trace_counts_t){.resets = 1, .watchdogs = 1, .faults = 1});
    drain();
    cpu_reset();
}

/* For ever. */
static void tell_edges(void)
{
    uint32_t told = 0;
    for (;;) {
        uint32_t irq = cpu_irq_disable();
        if (edges == told) {
            cpu_sleep();
        }
        cpu_irq_restore(irq);
        if (edges != told) {
            told++;
            say("edge", "");
        }
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
        check_trace(0, (trace_counts_t){.resets = 2, .watchdogs = HAS_WATCHDOG, .faults = 1});
        break;
    }
    say("done", "");
    tell_edges();
}
