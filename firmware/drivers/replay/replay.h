/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * drivers/sensor.h that replays a scene (docs/SPEC.md, "Scenes") instead of measuring, on the
 * device's own clock: block k is due (k + 1) blocks after the start, however fast an emulator skips
 * idle time, so that each run of a scene is the same.
 *
 * The scene lies in memory (board.toml: [scene]), or, on boards with little memory, comes in
 * frames: the device asks for samples, and the clock of the sensor stands still until they are
 * there.
 */
#ifndef DRIVERS_REPLAY_H
#define DRIVERS_REPLAY_H

#include "drivers/sensor.h"

/* Blocks of a scene in memory that may wait to be read; then the oldest one is lost. */
#define REPLAY_BLOCKS 64

/* Numbers, samples times axes, that are wanted at once. */
#define REPLAY_GIVE_MAX 160

/* From where the scene is taken. NULL, or bytes that are no scene of the format of sensor_start():
 * frames are asked for. */
void replay_source(const void *scene, uint32_t bytes);

/* True if samples are wanted: `*count` of them (each of all axes) from number `*from` on. Always
 * the same until they come. */
bool replay_wants(uint32_t *from, uint32_t *count);

/* Hands over `count` samples from number `from` on, [samples][axes], little endian; fewer than are
 * wanted are taken too, and count 0 is the end of the scene. Nothing is lost of what is handed
 * over: as long as nobody reads, nothing is wanted. False: not those that are wanted. */
bool replay_give(uint32_t from, const uint8_t *samples, uint32_t count);

#endif
