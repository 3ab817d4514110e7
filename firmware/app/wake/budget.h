/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How many bytes of telemetry may be sent while an update needs the link: so many a second, with a
 * little saved up. At 115,200 baud the wire carries 11,520 bytes a second; telemetry gets 5 %.
 */
#ifndef APP_WAKE_BUDGET_H
#define APP_WAKE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_BYTES_A_SECOND 576u
#define BUDGET_SAVED          288  /* at most: two or three records at once */
#define BUDGET_OWED           1152 /* at most: two seconds */

/* All zero: nothing is saved. Members are private. */
typedef struct {
    int32_t saved;  /* below 0: owed */
    uint32_t since; /* ticks */
} budget_t;

/* A record of `bytes` wants to be sent at `now` (clock ticks). True: it may, and is paid for. */
bool budget_take(budget_t *budget, uint32_t bytes, uint32_t now, uint32_t timer_hz);

/* One of `bytes` is sent in any case, since somebody waits for it: others get less for it. */
void budget_spend(budget_t *budget, uint32_t bytes, uint32_t now, uint32_t timer_hz);

#endif
