/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See health.h.
 */
#include "app/wake/health.h"

#include "hal/board.h"
#include "hal/watchdog.h"

#define LOOKS 4u /* in the watchdog's time */

static uint32_t seen;

void health_start(void)
{
    if (board.trial_ms != 0) {
        watchdog_start(board.trial_ms);
    }
}

uint32_t health_period(void)
{
    return board.timer_hz / 1000 * (board.trial_ms / LOOKS);
}

void health_look(uint32_t steps, bool nothing_to_do)
{
    if (steps != seen || nothing_to_do) {
        watchdog_feed();
    }
    seen = steps;
}
