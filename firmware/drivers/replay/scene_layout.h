/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A scene: what a replayed sensor measures. This header is the one truth for every byte of it: C
 * includes it, and the host reads this very file (host/torpor/scene/layout.py). All numbers are
 * little endian; the first byte must be 4-byte aligned.
 *
 *     | header | clips[] | events[] | samples of the clips, int16 [samples][axes] |
 */
#ifndef DRIVERS_REPLAY_SCENE_LAYOUT_H
#define DRIVERS_REPLAY_SCENE_LAYOUT_H

#include <stdint.h>

#define SCENE_MAGIC    0x4E435354 /* "TSCN" */
#define SCENE_VERSION  1
#define SCENE_AXES_MAX 8
#define SCENE_NO_CLIP  0xFFFF  /* scene_header_t.background: none */
#define SCENE_GAIN_ONE 0x10000 /* scene_event_t.gain: the clip as it is */

typedef struct {
    uint32_t magic;
    uint32_t crc;   /* CRC-32 of all bytes behind it */
    uint32_t bytes; /* of the whole scene */
    uint16_t version;
    uint16_t axes;
    uint32_t rate_hz;
    uint32_t samples;    /* from the beginning to the end of the scene, at least 1 */
    uint32_t seed;       /* of the noise */
    uint16_t noise;      /* level: its standard deviation times the square root of 3 */
    uint16_t background; /* clip that plays again and again from sample 0 on, or SCENE_NO_CLIP */
    uint32_t n_clips;    /* at most 0xFFFF */
    uint32_t n_events;
    int16_t base[8]; /* what a sensor at rest shows; 0 for axes that are not there */
} scene_header_t;

typedef struct {
    uint32_t offset;  /* of its first sample from the start of the scene, even */
    uint32_t samples; /* at least 1 */
} scene_clip_t;

typedef struct {
    uint32_t start; /* sample; not before that of the event before */
    uint32_t clip;  /* ends before the scene does */
    uint32_t gain;  /* of 65536, at most SCENE_GAIN_ONE */
} scene_event_t;

#endif
