/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What a sleeping device does all day: blocks of little noise, each looked at as quiet_block()
 * does, once each of the sizes in FORMATS; then the scores of stage 1. A plugin of the emulator
 * counts.
 *
 * Made for each board with -D: STACK, an address.
 */
#include <stdint.h>
#include <string.h>

#include "duty/duty.h"

#define NUMBERS  384u /* the window of stage 1: 64 samples of 6 axes */
#define CHANNELS 40u

static int16_t samples[NUMBERS];
static uint16_t row[CHANNELS];
static duty_t duty;
static const duty_config_t config = {
    .trigger = {.on = 400, .off = 200, .debounce = 2, .hold = 10},
    .smooth = {.windows = 5, .cutoff = 200},
    .block_ms_q16 = 10 << 16,
    .hop = 3,
    .timer_ms = 60000,
    .timer_windows = 1,
};
static const struct {
    uint16_t count;
    uint16_t axes;
} formats[] = {{160, 1}, {320, 1}, {64, 3}, {53, 6}};

void start(void) __attribute__((noreturn));
uint32_t quiet_block(uint32_t count, uint32_t axes);

#ifdef __arm__
__attribute__((section(".first"), used)) static const void *const vectors[16] = {
    (void *)STACK,
    start,
    start,
    start,
};
#else
#define WORDS(number) #number
#define TEXT(number)  WORDS(number)
__asm__(".section .first,\"ax\"\n.option norelax\nli sp, " TEXT(STACK) "\nla t0, start\njr t0\n");
#endif

__attribute__((noinline)) uint32_t quiet_block(uint32_t count, uint32_t axes)
{
    return duty_block(&duty, &config, trigger_level(samples, count, axes));
}

__attribute__((section(".last"))) void start(void)
{
    uint32_t noise = 1;
    memset(&duty, 0, sizeof duty);
    for (uint32_t i = 0; i < NUMBERS; i++) {
        noise = noise * 1664525u + 1013904223u;
        samples[i] = (int16_t)(noise >> 26);
        row[i % CHANNELS] = (uint16_t)(noise >> 20);
    }
    for (uint32_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        quiet_block(formats[i].count, formats[i].axes);
    }
    gate_motion(samples, 64, 6);
    gate_sound(row, 0, CHANNELS);
    for (;;) {
    }
}
