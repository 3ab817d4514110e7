/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A program that hears what tests/emulated/test_sound.py makes as well, and says over the UART what
 * the features are: one line each 100 slices, "SLICES ROWS CRC TICKS", in decimal but for the CRC.
 */
#include "core/crc32.h"
#include "core/text.h"
#include "drivers/sound/features.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/uart.h"

#define LINES       6u
#define LINE_SLICES 100u

void uart_on_receive(uint8_t byte)
{
    (void)byte;
}

/* White noise, a fourth as loud each 100 slices; the last of them silence; then it begins anew. */
static void hear(int16_t *samples, uint32_t line)
{
    static uint32_t state = 1;
    for (uint32_t i = 0; i < FEATURES_SLICE; i++) {
        state = state * 1664525u + 1013904223u;
        int16_t sample = (int16_t)(uint16_t)(state >> 16);
        samples[i] = line == LINES - 1 ? 0 : (int16_t)(sample / (1 << (2 * line)));
    }
}

static void say(uint32_t slices, uint32_t rows, uint32_t crc, uint32_t ticks)
{
    text_t text = {0};
    text_uint(&text, slices);
    text_string(&text, " ");
    text_uint(&text, rows);
    text_string(&text, " ");
    text_hex(&text, crc);
    text_string(&text, " ");
    text_uint(&text, ticks);
    text_end(&text);
    uart_write(text.bytes, text.length);
}

int main(void)
{
    static int16_t samples[FEATURES_SLICE];
    static uint16_t row[FEATURES_CHANNELS];
    uint32_t rows = 0, crc = 0;
    clock_start();
    uart_start();
    cpu_irq_enable();
    features_reset();
    for (uint32_t line = 0; line < LINES; line++) {
        uint32_t ticks = 0;
        for (uint32_t i = 0; i < LINE_SLICES; i++) {
            hear(samples, line);
            uint32_t begin = clock_ticks();
            bool is_complete = features_slice(samples, row);
            ticks += clock_ticks() - begin;
            rows += is_complete;
            crc = is_complete ? crc32_update(crc, row, sizeof row) : crc;
        }
        say((line + 1) * LINE_SLICES, rows, crc, ticks);
        features_resume();
    }
    for (;;) {
        uint32_t irq = cpu_irq_disable();
        cpu_sleep();
        cpu_irq_restore(irq);
    }
}
