/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A board of bytes for the tests: what the application sends is kept, time is a number.
 */
#include <string.h>

#include "app/session.h"
#include "core/loop.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/uart.h"
#include "wire/smp_frame.h"

const board_t board = {.name = "shim", .timer_hz = 1000, .trial_ms = 5000};

uint8_t shim_room[512]; /* of a ring */
uint8_t shim_sent[1 << 16];
uint32_t shim_sent_length;
uint32_t shim_ticks;
uint32_t shim_handled[32];
uint32_t shim_handled_count;
loop_t shim_loop;

uint32_t shim_fits(uint32_t bytes);

uint32_t shim_fits(uint32_t bytes)
{
    return SMP_FRAME_FITS(bytes);
}

void uart_write(const void *bytes, size_t length)
{
    memcpy(shim_sent + shim_sent_length, bytes, length);
    shim_sent_length += (uint32_t)length;
}

uint32_t clock_ticks(void)
{
    shim_ticks += 7;
    return shim_ticks;
}

uint32_t cpu_stack_used(void)
{
    return 321;
}

static void note(uint32_t event)
{
    shim_handled[shim_handled_count++] = event;
}

static void on_0(void)
{
    note(0);
}

/* Posts what comes before and what comes after it, and itself the first two times. */
static void on_1(void)
{
    static uint32_t times;
    note(1);
    loop_post(&shim_loop, 0);
    loop_post(&shim_loop, 2);
    if (++times % 3 != 0) {
        loop_post(&shim_loop, 1);
    }
}

static void on_2(void)
{
    note(2);
}

void shim_start_loop(void)
{
    shim_loop = (loop_t){.handlers = {on_0, on_1, on_2}};
    shim_handled_count = 0;
}
