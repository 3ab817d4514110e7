/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Motion: the window is the history, samples [rows][axes].
 */
#include "app/wake/window.h"

#include <string.h>

#include "app/wake/code.h"
#include "duty/gate.h"

static bool due;

static uint32_t block_numbers(void)
{
    return (uint32_t)wake_config.format.block * wake_config.format.axes;
}

void window_start(void)
{
    due = false;
    memset(wake_config.history, 0,
           wake_config.history_blocks * block_numbers() * sizeof *wake_config.history);
}

/* The history stays in order, so that a window is one piece: some hundred bytes are moved, some
 * times a second. */
int16_t *window_slot(void)
{
    uint32_t kept = (wake_config.history_blocks - 1u) * block_numbers();
    int16_t *history = wake_config.history;
    memmove(history, history + block_numbers(), kept * sizeof *history);
    return history + kept;
}

void window_begin(void)
{
}

void window_due(void)
{
    due = true;
}

bool window_take(void)
{
    bool taken = due;
    due = false;
    return taken;
}

uint32_t window_score(void)
{
    return gate_motion(wake_config.history, wake_config.rows, wake_config.columns);
}

void window_codes(int8_t *codes)
{
    const int16_t *number = wake_config.history;
    for (uint32_t row = 0; row < wake_config.rows; row++) {
        for (uint32_t axis = 0; axis < wake_config.columns; axis++) {
            *codes++ = wake_code(&wake_config.codes[axis], *number++);
        }
    }
}
