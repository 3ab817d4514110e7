/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Facts of the board that portable code may know. The build makes the definition from
 * boards/<board>/board.toml (build/<board>/gen/board.c); what only a port needs is in
 * gen/board_config.h.
 */
#ifndef HAL_BOARD_H
#define HAL_BOARD_H

#include <stdint.h>

typedef struct {
    const char *name;  /* the folder's name under boards/ */
    uint32_t timer_hz; /* of clock_ticks() */
    uint32_t trial_ms; /* that firmware on trial has to confirm itself; 0: no watchdog */
} board_t;

extern const board_t board;

/* Memory that a scene may have been put into from outside (drivers/replay), and its size. NULL: the
 * board has none. */
const void *board_scene(uint32_t *bytes);

#endif
