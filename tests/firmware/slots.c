/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Bootloader and firmware in one process, as functions that return where the CPU would sleep or
 * restart. Both have their own variables; a new copy of the library is a device without RAM.
 */
#define main            boot_main
#define uart_on_receive boot_on_receive
#include "boot/main.c"
#include "boot/tell.c"
#undef main
#undef uart_on_receive

#include <setjmp.h>

#include "app/console.h"

restart_t shim_note;            /* of the last restart_note() */
handoff_t shim_handoff;         /* of the last handoff_give() */
uint32_t shim_watchdog_ms;      /* 0: it does not run */
uint32_t shim_watchdog_started; /* the time that it was last started with */
uint32_t shim_fed;
bool shim_hangs; /* the firmware does nothing */
uint32_t shim_resets;
uint8_t shim_key_change; /* 0: bootloader and firmware have one key */

static jmp_buf power;
static bool has_handoff;

void boot_on_receive(uint8_t byte);
void pump(void);
void shim_boot(void);
void shim_change_key(uint8_t by);
void shim_start(void);
void shim_receive(const uint8_t *bytes, uint32_t length);
void shim_skip_bootloader(void);

void restart_note(uint32_t reason, uint32_t exception, uint32_t pc, uint32_t lr)
{
    shim_note =
        (restart_t){.kept = true, .reason = reason, .exception = exception, .pc = pc, .lr = lr};
}

void handoff_give(const handoff_t *handoff)
{
    shim_handoff = *handoff;
    has_handoff = true;
}

bool handoff_take(handoff_t *handoff)
{
    *handoff = shim_handoff;
    return has_handoff;
}

void watchdog_start(uint32_t milliseconds)
{
    shim_watchdog_ms = milliseconds;
    shim_watchdog_started = milliseconds;
}

void watchdog_feed(void)
{
    shim_fed++;
}

void watchdog_stop(void)
{
    shim_watchdog_ms = 0;
}

void cpu_reset(void)
{
    shim_resets++;
    longjmp(power, 1);
}

/* Whatever the image holds, the firmware that runs is this one. */
void boot_jump(const uint8_t *payload, uint32_t length)
{
    (void)payload;
    (void)length;
    shim_change_key(shim_key_change);
    if (!shim_hangs) {
        shim_boot();
    }
    longjmp(power, 1);
}

/* Power comes, or the reset is over: until the firmware sleeps or restarts. */
void shim_start(void)
{
    if (setjmp(power) == 0) {
        boot_main();
    }
}

/* A debugger starts the firmware itself. */
void shim_skip_bootloader(void)
{
    if (setjmp(power) == 0) {
        shim_boot();
    }
}

/* Bytes arrive and are worked through, until the firmware sleeps or restarts. */
void shim_receive(const uint8_t *bytes, uint32_t length)
{
    if (setjmp(power) == 0) {
        for (uint32_t i = 0; i < length; i++) {
            console_put(bytes[i]);
            if (i % 256 == 255 || i + 1 == length) {
                pump();
            }
        }
    }
}
