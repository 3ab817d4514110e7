/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See replay.h. Blocks of a scene in memory are made when they are read, so that only numbers wait;
 * samples that come over the wire wait in a ring of whole blocks.
 */
#include "drivers/replay/replay.h"

#include <stddef.h>
#include <string.h>

#include "drivers/replay/scene.h"

#define RING_NUMBERS  (2 * SENSOR_BLOCK_MAX)
#define SAMPLES_MAX   (UINT32_MAX - RING_NUMBERS)
#define WITHOUT_LIMIT UINT32_MAX

static struct {
    const void *source;
    uint32_t source_bytes;

    bool started;
    bool in_memory;
    sensor_format_t format;
    timers_t *timers;
    scene_t scene;

    /* When the next block is complete, and from one to the next: step + remainder / rate_hz. */
    uint64_t due;
    uint64_t step;
    uint32_t remainder;
    uint32_t fraction;

    uint32_t blocks; /* in all, as far as that is known */
    uint32_t complete;
    uint32_t taken;
    uint32_t lost;

    uint32_t arrived; /* samples */
    uint32_t wanted;  /* samples that were asked for and have not come */
    uint32_t capacity;
    bool stands_still;
    int16_t ring[RING_NUMBERS];
} replay;

void replay_source(const void *scene, uint32_t bytes)
{
    replay.source = scene;
    replay.source_bytes = bytes;
}

static bool is_sound(const sensor_format_t *format, uint32_t timer_hz)
{
    return format->rate_hz > 0 && timer_hz > 0 && format->block > 0 && format->axes > 0 &&
           format->axes <= SCENE_AXES_MAX &&
           (uint32_t)format->block * format->axes <= SENSOR_BLOCK_MAX;
}

static bool is_in_memory(const sensor_format_t *format)
{
    return scene_open(&replay.scene, replay.source, replay.source_bytes) &&
           replay.scene.header->rate_hz == format->rate_hz &&
           replay.scene.header->axes == format->axes;
}

/* Moves to when the block after the next one is complete: exact, for ever. */
static void advance(void)
{
    replay.due += replay.step;
    replay.fraction += replay.remainder;
    if (replay.fraction >= replay.format.rate_hz) {
        replay.fraction -= replay.format.rate_hz;
        replay.due++;
    }
}

static void start_clock(uint32_t timer_hz, uint64_t now)
{
    uint64_t ticks = (uint64_t)replay.format.block * timer_hz;
    replay.step = ticks / replay.format.rate_hz;
    replay.remainder = (uint32_t)(ticks % replay.format.rate_hz);
    replay.fraction = 0;
    replay.due = now;
    replay.stands_still = false;
    advance();
}

static bool is_over(void)
{
    return replay.complete >= replay.blocks;
}

bool sensor_start(const sensor_format_t *format, timers_t *timers, uint32_t timer_hz, uint64_t now)
{
    if (!is_sound(format, timer_hz)) {
        return false;
    }
    replay.format = *format;
    replay.timers = timers;
    replay.in_memory = is_in_memory(format);
    replay.blocks = replay.in_memory ? replay.scene.header->samples / format->block : WITHOUT_LIMIT;
    replay.complete = replay.taken = replay.lost = 0;
    replay.arrived = replay.wanted = 0;
    replay.capacity = RING_NUMBERS / ((uint32_t)format->block * format->axes) * format->block;
    replay.started = true;
    start_clock(timer_hz, now);
    if (!is_over()) {
        timers_set(timers, SENSOR_TIMER, replay.due);
    }
    return true;
}

static bool is_there(void)
{
    return replay.in_memory ||
           replay.arrived - replay.complete * replay.format.block >= replay.format.block;
}

/* A block is complete; the oldest one makes room for it if need be. A ring has room always: what
 * has none has not arrived. */
static void complete_block(void)
{
    replay.complete++;
    if (replay.in_memory && replay.complete - replay.taken > REPLAY_BLOCKS) {
        replay.taken++;
        replay.lost++;
    }
    advance();
    sensor_on_block();
}

void sensor_on_timer(uint64_t now)
{
    if (replay.stands_still && is_there()) {
        replay.stands_still = false;
        replay.due = now;
    }
    while (!is_over() && replay.due <= now && is_there()) {
        complete_block();
    }
    if (is_over()) {
        return;
    }
    replay.stands_still = replay.due <= now;
    if (!replay.stands_still) {
        timers_set(replay.timers, SENSOR_TIMER, replay.due);
    }
}

static void take_from_ring(int16_t *block)
{
    uint32_t first = replay.taken * replay.format.block % replay.capacity;
    memcpy(block, &replay.ring[first * replay.format.axes],
           sizeof *block * replay.format.block * replay.format.axes);
}

bool sensor_ready(void)
{
    return replay.taken != replay.complete;
}

bool sensor_read(int16_t *block)
{
    if (!sensor_ready()) {
        return false;
    }
    if (replay.in_memory) {
        scene_render(&replay.scene, replay.taken * replay.format.block, replay.format.block, block);
    } else {
        take_from_ring(block);
    }
    replay.taken++;
    return true;
}

uint32_t sensor_lost(void)
{
    return replay.lost;
}

bool sensor_ended(void)
{
    return replay.started && replay.taken >= replay.blocks;
}

static bool takes_frames(void)
{
    return replay.started && !replay.in_memory && replay.blocks == WITHOUT_LIMIT;
}

bool replay_wants(uint32_t *from, uint32_t *count)
{
    if (!takes_frames()) {
        return false;
    }
    if (replay.wanted == 0) {
        uint32_t most = (uint32_t)(REPLAY_GIVE_MAX / replay.format.axes);
        uint32_t held = replay.arrived - replay.taken * replay.format.block;
        uint32_t room = replay.capacity - held;
        replay.wanted = room < most ? room : most;
    }
    *from = replay.arrived;
    *count = replay.wanted;
    return replay.wanted > 0;
}

static void put_into_ring(const uint8_t *bytes, uint32_t count)
{
    uint32_t end = replay.capacity * replay.format.axes;
    uint32_t place = replay.arrived % replay.capacity * replay.format.axes;
    for (uint32_t i = 0; i < count * replay.format.axes; i++, bytes += 2) {
        replay.ring[place++] = (int16_t)(uint16_t)(bytes[0] | bytes[1] << 8);
        place = place == end ? 0 : place;
    }
}

bool replay_give(uint32_t from, const uint8_t *samples, uint32_t count)
{
    if (!takes_frames() || from != replay.arrived || count > replay.wanted) {
        return false;
    }
    put_into_ring(samples, count);
    replay.arrived += count;
    replay.wanted = 0;
    if (count == 0 || replay.arrived > SAMPLES_MAX) {
        replay.blocks = replay.arrived / replay.format.block;
    } else if (replay.stands_still && is_there()) {
        timers_set(replay.timers, SENSOR_TIMER, 0); /* at once, whatever time it is */
    }
    return true;
}
