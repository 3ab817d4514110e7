/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Sound: a ring of blocks; while awake the front end makes rows of features of them, and some rows
 * are a window. Asleep, nothing is computed: a wake goes back and makes up for it.
 */
#include "app/wake/window.h"

#include "app/wake/code.h"
#include "drivers/sound/features.h"
#include "duty/gate.h"

#define ROWS_MAX 4

static struct {
    uint32_t written; /* blocks, since the start */
    uint32_t read;    /* of them the front end has had */
    uint32_t slice;   /* of the block that it has begun */
    uint32_t rows;    /* of the window that is made */
    uint16_t last[FEATURES_CHANNELS];
    int8_t codes[ROWS_MAX][FEATURES_CHANNELS];
} sound;

static int16_t *block_at(uint32_t number)
{
    return wake_config.history + (number % wake_config.history_blocks) * wake_config.format.block;
}

void window_start(void)
{
    sound.written = 0;
    sound.read = 0;
    sound.rows = 0;
    sound.slice = 0;
    features_reset();
}

int16_t *window_slot(void)
{
    return block_at(sound.written++);
}

/* Windows of a wake are those that a device which never sleeps would have: they begin at multiples
 * of their rows, counted from the first slice. */
static uint32_t aligned(uint32_t block)
{
    uint32_t slices = wake_config.format.block / FEATURES_SLICE;
    while (block * slices % wake_config.rows != 0) {
        block--;
    }
    return block;
}

void window_begin(void)
{
    uint32_t known = wake_config.before + 1u;
    sound.read = sound.written > known ? aligned(sound.written - known) : 0;
    sound.slice = 0;
    sound.rows = 0;
    features_resume();
}

void window_due(void)
{
}

static void add_row(const uint16_t *row)
{
    for (uint32_t i = 0; i < FEATURES_CHANNELS; i++) {
        sound.last[i] = row[i];
        sound.codes[sound.rows][i] = wake_code(&wake_config.codes[0], row[i]);
    }
    sound.rows++;
}

static void take_slice(void)
{
    uint16_t row[FEATURES_CHANNELS];
    const int16_t *samples = block_at(sound.read) + sound.slice * FEATURES_SLICE;
    if (features_slice(samples, row)) {
        add_row(row);
    }
    sound.slice++;
    if (sound.slice * FEATURES_SLICE == wake_config.format.block) {
        sound.slice = 0;
        sound.read++;
    }
}

bool window_take(void)
{
    sound.rows = sound.rows == wake_config.rows ? 0 : sound.rows;
    while (sound.rows < wake_config.rows && sound.read != sound.written) {
        take_slice();
    }
    return sound.rows == wake_config.rows;
}

uint32_t window_score(void)
{
    return gate_sound(sound.last, wake_config.first, wake_config.last);
}

void window_codes(int8_t *codes)
{
    for (uint32_t row = 0; row < wake_config.rows; row++) {
        for (uint32_t i = 0; i < FEATURES_CHANNELS; i++) {
            *codes++ = sound.codes[row][i];
        }
    }
}
