/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A sensor that measures at a fixed rate and delivers blocks of samples. The build links one: a
 * driver of a chip, or drivers/replay. Samples are int16, [samples][axes].
 *
 * A driver that is clocked by the CPU uses timer SENSOR_TIMER of the application's timers; the
 * application calls sensor_on_timer() when that is due. One with an interrupt of its own does not.
 */
#ifndef DRIVERS_SENSOR_H
#define DRIVERS_SENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/timers.h"

#define SENSOR_TIMER     0
#define SENSOR_BLOCK_MAX 320 /* numbers in a block: samples times axes */

/* What is measured. Made from model.toml. */
typedef struct {
    uint32_t rate_hz;
    uint16_t axes;
    uint16_t block; /* samples in a block */
} sensor_format_t;

/* Starts measuring. False: there is nothing that could, or it has another format. */
bool sensor_start(const sensor_format_t *format, timers_t *timers, uint32_t timer_hz, uint64_t now);

/* SENSOR_TIMER is due. */
void sensor_on_timer(uint64_t now);

/* True if sensor_read() would take one. */
bool sensor_ready(void);

/* Takes the oldest block that was not taken yet. False: none is there. */
bool sensor_read(int16_t *block);

/* Blocks that were overwritten before they were taken. */
uint32_t sensor_lost(void);

/* True when there will be no more blocks: the end of a scene. */
bool sensor_ended(void);

/* Implemented by the application: a block is there. From an interrupt or sensor_on_timer(). */
void sensor_on_block(void);

#endif
