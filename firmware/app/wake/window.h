/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What stage 1 and stage 2 look at, made of the sensor's blocks. Two kinds implement it, the build
 * takes the folder of the model's sensor: app/wake/motion, app/wake/sound.
 */
#ifndef APP_WAKE_WINDOW_H
#define APP_WAKE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* Forgets everything. */
void window_start(void);

/* Where the next block goes; the caller fills it, then it is part of the history. */
int16_t *window_slot(void);

/* A wake begins: windows are made of what comes from now on, and of wake_config.before blocks
 * before the last one. */
void window_begin(void);

/* A window is due that ends with the last block. */
void window_due(void);

/* Prepares the next window that is due. False: there is none (any more). */
bool window_take(void);

/* Of the window that was taken: what stage 1 makes of it. */
uint32_t window_score(void);

/* Writes the window that was taken as the model's input: wake_config.rows times columns codes. */
void window_codes(int8_t *codes);

#endif
