/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Stage 1: a cheap score of what was captured, and whether the model has to look at it.
 */
#ifndef DUTY_GATE_H
#define DUTY_GATE_H

#include <stdint.h>

typedef struct {
    uint32_t low;  /* a score below: rejected */
    uint32_t high; /* at or above: positive; between: unsure. low <= high */
} gate_config_t;

typedef enum { GATE_REJECT, GATE_UNSURE, GATE_POSITIVE } gate_verdict_t;

gate_verdict_t gate_judge(const gate_config_t *config, uint32_t score);

/* Score of a window of motion, [count][axes]: how much it moves, the standard deviation summed over
 * the axes (root of the exact variance, rounded down, per axis). count <= 65535. For 64 x 6
 * about 8,000 instructions on a Cortex-M4, 18,000 on a Cortex-M0. */
uint32_t gate_motion(const int16_t *samples, uint32_t count, uint32_t axes);

/* Score of one row of sound features (drivers/sound): the mean of channels [first, last),
 * rounded down; 0 if there are none. */
uint32_t gate_sound(const uint16_t *row, uint32_t first, uint32_t last);

#endif
