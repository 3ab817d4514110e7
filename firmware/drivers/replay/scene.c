/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See scene.h.
 */
#include "drivers/replay/scene.h"

#include <assert.h>

#include "core/crc32.h"

static_assert(sizeof(scene_header_t) == 56, "docs/SPEC.md");
static_assert(sizeof(scene_clip_t) == 8, "docs/SPEC.md");
static_assert(sizeof(scene_event_t) == 12, "docs/SPEC.md");

#define BEFORE_CRC 8 /* bytes: magic and the CRC itself */

/* A permutation of 32 bits that looks like chance, another one for each key. */
static uint32_t scatter(uint32_t number, uint32_t key)
{
    number ^= number >> 16;
    number = number * 0x85EBCA6Bu + key;
    number ^= number >> 13;
    number *= 0xC2B2AE35u;
    return number ^ (number >> 16);
}

static int16_t saturate(int32_t number)
{
    if (number > INT16_MAX) {
        return INT16_MAX;
    }
    return (int16_t)(number < INT16_MIN ? INT16_MIN : number);
}

/* The sum of four bytes by chance has mean 510 and variance 4 * (256 * 256 - 1) / 12. */
static int32_t noise(uint32_t key, uint32_t number, int32_t level)
{
    uint32_t bits = scatter(number, key);
    uint32_t pairs = (bits & 0x00FF00FFu) + ((bits >> 8) & 0x00FF00FFu);
    int32_t sum = (int32_t)((pairs & 0xFFFFu) + (pairs >> 16));
    return ((sum - 510) * level + 128) >> 8;
}

static const int16_t *samples_of(const scene_t *scene, const scene_clip_t *clip)
{
    return (const int16_t *)(const void *)((const uint8_t *)scene->header + clip->offset);
}

static bool header_is_sound(const scene_header_t *header, uint32_t available)
{
    if (header->magic != SCENE_MAGIC || header->version != SCENE_VERSION ||
        header->bytes < sizeof *header || header->bytes > available || header->axes < 1 ||
        header->axes > SCENE_AXES_MAX || header->rate_hz < 1 || header->samples < 1 ||
        header->n_clips > SCENE_NO_CLIP) {
        return false;
    }
    if (header->background != SCENE_NO_CLIP && header->background >= header->n_clips) {
        return false;
    }
    uint64_t tables = sizeof *header + (uint64_t)header->n_clips * sizeof(scene_clip_t) +
                      (uint64_t)header->n_events * sizeof(scene_event_t);
    return tables <= header->bytes;
}

static bool clips_are_sound(const scene_t *scene)
{
    const scene_header_t *header = scene->header;
    const uint8_t *behind = (const uint8_t *)(scene->events + header->n_events);
    uint32_t tables = (uint32_t)(behind - (const uint8_t *)header);
    for (uint32_t i = 0; i < header->n_clips; i++) {
        const scene_clip_t *clip = &scene->clips[i];
        uint64_t end = clip->offset + (uint64_t)clip->samples * header->axes * sizeof(int16_t);
        if (clip->samples < 1 || clip->offset % 2 != 0 || clip->offset < tables ||
            end > header->bytes) {
            return false;
        }
    }
    return true;
}

static bool events_are_sound(const scene_t *scene)
{
    const scene_header_t *header = scene->header;
    uint32_t before = 0;
    for (uint32_t i = 0; i < header->n_events; i++) {
        const scene_event_t *event = &scene->events[i];
        if (event->clip >= header->n_clips || event->gain > SCENE_GAIN_ONE ||
            event->start < before || event->start > header->samples ||
            scene->clips[event->clip].samples > header->samples - event->start) {
            return false;
        }
        before = event->start;
    }
    return true;
}

static bool crc_is_right(const scene_header_t *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    return crc32_update(0, bytes + BEFORE_CRC, header->bytes - BEFORE_CRC) == header->crc;
}

bool scene_open(scene_t *scene, const void *bytes, uint32_t available)
{
    const scene_header_t *header = bytes;
    if (header == NULL || (uintptr_t)bytes % 4 != 0 || available < sizeof *header ||
        !header_is_sound(header, available) || !crc_is_right(header)) {
        return false;
    }
    scene->header = header;
    scene->clips = (const scene_clip_t *)(const void *)(header + 1);
    scene->events = (const scene_event_t *)(const void *)(scene->clips + header->n_clips);
    scene->key = scatter(header->seed, 0);
    scene->at = 0;
    scene->over = 0;
    return clips_are_sound(scene) && events_are_sound(scene);
}

/* What plays again and again: numbers [end], and where one is in them. */
typedef struct {
    const int16_t *numbers;
    uint32_t end;
    uint32_t place;
} background_t;

/* A scene without background has one that is silent. */
static background_t background_at(const scene_t *scene, uint32_t first)
{
    static const int16_t silence[SCENE_AXES_MAX];
    const scene_header_t *header = scene->header;
    uint32_t axes = header->axes;
    if (header->background == SCENE_NO_CLIP) {
        return (background_t){.numbers = silence, .end = axes};
    }
    const scene_clip_t *clip = &scene->clips[header->background];
    return (background_t){
        .numbers = samples_of(scene, clip),
        .end = clip->samples * axes,
        .place = first % clip->samples * axes,
    };
}

/* One axis of what is there without events; `number` is that of the noise, modulo 2^32. */
static void render_axis(const scene_t *scene, uint32_t axis, uint32_t number, uint32_t count,
                        background_t background, int16_t *out)
{
    uint32_t axes = scene->header->axes;
    uint32_t key = scene->key;
    int32_t level = scene->header->noise;
    int32_t base = scene->header->base[axis];
    uint32_t place = background.place + axis;
    for (uint32_t i = 0; i < count; i++) {
        int32_t chance = level == 0 ? 0 : noise(key, number, level);
        *out = saturate(base + background.numbers[place] + chance);
        out += axes;
        number += axes;
        place += axes;
        place = place < background.end ? place : place - background.end;
    }
}

static uint32_t end_of(const scene_t *scene, const scene_event_t *event)
{
    return event->start + scene->clips[event->clip].samples;
}

/* Adds what of the event lies in [first, first + count), if anything. */
static void add_event(const scene_t *scene, const scene_event_t *event, uint32_t first,
                      uint32_t count, int16_t *out)
{
    uint32_t begin = event->start > first ? event->start : first;
    uint32_t end = end_of(scene, event);
    end = end < first + count ? end : first + count;
    if (begin >= end) {
        return;
    }
    uint32_t axes = scene->header->axes;
    const int16_t *samples = samples_of(scene, &scene->clips[event->clip]);
    samples += (begin - event->start) * axes;
    out += (begin - first) * axes;
    int32_t gain = (int32_t)event->gain;
    for (uint32_t i = 0; i < (end - begin) * axes; i++) {
        out[i] = saturate(out[i] + ((samples[i] * gain + 0x8000) >> 16));
    }
}

/* Moves on to `first`: events that have ended are not looked at any more. */
static void seek(scene_t *scene, uint32_t first)
{
    if (first < scene->at) {
        scene->over = 0;
    }
    scene->at = first;
    while (scene->over < scene->header->n_events &&
           end_of(scene, &scene->events[scene->over]) <= first) {
        scene->over++;
    }
}

void scene_render(scene_t *scene, uint32_t first, uint32_t count, int16_t *out)
{
    seek(scene, first);
    uint32_t axes = scene->header->axes;
    background_t background = background_at(scene, first);
    for (uint32_t axis = 0; axis < axes; axis++) {
        render_axis(scene, axis, first * axes + axis, count, background, out + axis);
    }
    const scene_event_t *end = scene->events + scene->header->n_events;
    for (const scene_event_t *event = scene->events + scene->over;
         event < end && event->start < first + count; event++) {
        add_event(scene, event, first, count, out);
    }
}
