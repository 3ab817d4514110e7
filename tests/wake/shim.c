/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * app/wake on a board of bytes whose time is a number: sleeping is what lets it pass, to the alarm
 * or to what the tests let happen before. Every other call of the clock takes a little.
 */
#define main firmware_main
#include "app/wake/main.c"
#undef main

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/model.h"
#include "hal/watchdog.h"

const board_t board = {.name = "shim", .timer_hz = 1000000, .trial_ms = 4000};

uint8_t shim_sent[1 << 20];
uint32_t shim_sent_length;
uint64_t shim_ticks;      /* microseconds */
uint32_t shim_look_ticks; /* that each look at the clock takes */
uint32_t shim_sleeps;
uint32_t shim_deep_sleeps; /* of these */
uint32_t shim_fed;
uint32_t shim_watchdogs;   /* how often it was started */
uint32_t shim_plan_status; /* not 0: the model is refused */
bool shim_busy;            /* an update needs the link */
bool shim_has_flash;       /* inputs may be kept */
uint32_t shim_flash_uses;  /* erases and writes */
bool shim_stuck;           /* the sensor's timer never comes */
bool shim_edge;            /* at the next sleep somebody pushes the button */
const uint8_t *shim_arriving;
uint32_t shim_arriving_length;
uint32_t shim_arriving_mask; /* 0: bytes come while the CPU sleeps; n: just before interrupts are
                                masked the n-th time */
restart_t shim_restart;
trace_entry_t shim_trace[TRACE_ENTRIES];
uint32_t shim_traced;
const uint8_t *shim_scene;
uint32_t shim_scene_bytes;

static jmp_buf stop;
static uint64_t until;
static uint64_t alarm_at;
static uint32_t masked = 1;
static uint32_t masks;

void shim_start(void);
void shim_run(uint64_t microseconds);
void shim_again(void);

/* What the firmware must not do ends the process: there is no way to go on from inside it. */
static void insist(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "the firmware must not %s\n", what);
        abort();
    }
}

/* ---- the board */

void clock_start(void)
{
}

uint32_t clock_ticks(void)
{
    shim_ticks += shim_look_ticks;
    return (uint32_t)shim_ticks;
}

void alarm_set(uint32_t ticks)
{
    alarm_at = shim_ticks + (uint64_t)(int64_t)(int32_t)(ticks - (uint32_t)shim_ticks);
}

void alarm_cancel(void)
{
    alarm_at = UINT64_MAX;
}

void pin_start(void)
{
}

void uart_start(void)
{
}

void uart_write(const void *bytes, size_t length)
{
    insist(shim_sent_length + length <= sizeof shim_sent, "say so much");
    memcpy(shim_sent + shim_sent_length, bytes, length);
    shim_sent_length += (uint32_t)length;
}

static void deliver(void)
{
    for (uint32_t i = 0; i < shim_arriving_length; i++) {
        uart_on_receive(shim_arriving[i]);
    }
    shim_arriving_length = 0;
}

void cpu_irq_enable(void)
{
    masked = 0;
}

uint32_t cpu_irq_disable(void)
{
    uint32_t before = masked;
    masks++;
    if (masks == shim_arriving_mask) {
        deliver();
    }
    masked = 1;
    return before;
}

void cpu_irq_restore(uint32_t state)
{
    masked = state;
}

/* An interrupt that is pending ends the sleep at once: what wakes is looked for first. */
void cpu_sleep(void)
{
    insist(masked != 0, "sleep with interrupts enabled");
    shim_sleeps++;
    if (shim_arriving_mask == 0 && shim_arriving_length != 0) {
        deliver();
        return;
    }
    if (shim_edge) {
        shim_edge = false;
        pin_on_edge();
        return;
    }
    if (alarm_at > until) {
        shim_ticks = until > shim_ticks ? until : shim_ticks;
        longjmp(stop, 1);
    }
    shim_ticks = alarm_at > shim_ticks ? alarm_at : shim_ticks;
    alarm_at = UINT64_MAX;
    if (shim_stuck) {
        timers_cancel(&timers, SENSOR_TIMER);
    }
    alarm_on_ring();
}

void cpu_sleep_deep(void)
{
    shim_deep_sleeps++;
    cpu_sleep();
}

uint32_t cpu_stack_used(void)
{
    return 321;
}

void watchdog_start(uint32_t milliseconds)
{
    insist(milliseconds == board.trial_ms, "choose the watchdog's time");
    shim_watchdogs++;
}

void watchdog_feed(void)
{
    shim_fed++;
}

const void *board_scene(uint32_t *bytes)
{
    *bytes = shim_scene_bytes;
    return shim_scene;
}

uint32_t trace_start(trace_entry_t entries[TRACE_ENTRIES], uint32_t reason)
{
    (void)reason;
    uint32_t count = shim_traced;
    memcpy(entries, shim_trace, sizeof shim_trace);
    shim_traced = 0;
    return count;
}

void trace_note(uint16_t what, uint16_t value)
{
    memmove(shim_trace, shim_trace + 1, sizeof shim_trace - sizeof shim_trace[0]);
    shim_trace[TRACE_ENTRIES - 1] =
        (trace_entry_t){.time = (uint32_t)shim_ticks, .what = what, .value = value};
    shim_traced += shim_traced < TRACE_ENTRIES;
}

trace_counts_t trace_counts(void)
{
    return (trace_counts_t){.resets = 3, .watchdogs = 2, .faults = 1};
}

/* ---- what app/alone or app/slots would do */

static uint8_t received[512];
ring_t updates_ring = {.bytes = received, .size = sizeof received};

restart_t updates_start(void)
{
    return shim_restart;
}

void updates_describe(text_t *text)
{
    (void)text;
}

void updates_test(void)
{
}

infer_status_t updates_open(infer_t *model, const uint8_t **plan, uint32_t *length)
{
    *plan = torpor_plan;
    *length = torpor_plan_length;
    if (shim_plan_status != 0) {
        return (infer_status_t)shim_plan_status;
    }
    return infer_init(model, torpor_plan, torpor_plan_length, model_arena, model_arena_bytes);
}

void updates_receive(uint8_t byte)
{
    (void)byte;
}

bool updates_has_flash(void)
{
    return shim_has_flash;
}

bool updates_busy(void)
{
    return shim_busy;
}

void updates_versions(text_t *firmware, text_t *model)
{
    text_string(firmware, "1.2.3");
    text_string(model, "4.5.6");
}

/* ---- the flash of the store, which has nothing else in it */

static uint8_t kept[1 << 16];

const uint8_t *flash_at(uint32_t offset)
{
    return kept + (offset - wake_config.store.offset);
}

bool flash_erase(uint32_t offset)
{
    shim_flash_uses++;
    memset(kept + (offset - wake_config.store.offset), 0xFF, wake_config.store.erase_size);
    return true;
}

bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    shim_flash_uses++;
    memcpy(kept + (offset - wake_config.store.offset), data, length);
    return true;
}

/* ---- the tests' remote control */

/* From reset to the first sleep that lasts. */
void shim_start(void)
{
    until = shim_ticks;
    alarm_at = UINT64_MAX;
    masks = 0;
    if (setjmp(stop) == 0) {
        firmware_main();
    }
}

/* Lets time pass. */
void shim_run(uint64_t microseconds)
{
    until = shim_ticks + microseconds;
    masks = 0;
    if (setjmp(stop) == 0) {
        for (;;) {
            step();
        }
    }
}

/* Opens the model anew, as an update would. */
void shim_again(void)
{
    session_start();
    take_up_model();
}
