/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Reads scenes. Pure: integers only, equal to host/torpor/scene to the last bit. A sample is
 *
 *     saturate(base + background + noise), then for every event that plays, in their order,
 *     saturate(that + clip * gain)
 */
#ifndef DRIVERS_REPLAY_SCENE_H
#define DRIVERS_REPLAY_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/replay/scene_layout.h"

/* Private; the bytes of the scene stay where they are. */
typedef struct {
    const scene_header_t *header;
    const scene_clip_t *clips;
    const scene_event_t *events;
    uint32_t key;  /* of the noise */
    uint32_t at;   /* sample that the last rendering began with */
    uint32_t over; /* events before this one have ended before `at` */
} scene_t;

/* Opens the scene at `bytes`, of which `available` are readable. False: it is none, or it is
 * damaged; nothing is read beyond them. All of it is checked once, CRC included. */
bool scene_open(scene_t *scene, const void *bytes, uint32_t available);

/* Writes samples [first, first + count) to out [count][axes]. They must be in the scene. Fast where
 * `first` grows from call to call. */
void scene_render(scene_t *scene, uint32_t first, uint32_t count, int16_t *out);

#endif
