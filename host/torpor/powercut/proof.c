/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See proof.h. The world is one struct and the bytes of the flash. Before each step it is put
 * aside; the step is done once to see how many operations it has, then again and again from there,
 * with a cut at each of them, and what follows from that is another walk, one level deeper.
 */
#include "proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "device.h"
#include "engine.h"
#include "flash.h"
#include "remember.h"
#include "scenario.h"
#include "trace.h"

#define STARTS_MAX 64 /* of a device, until it has to be of one mind */

/* All that is not in the flash. */
typedef struct {
    device_t device;
    client_t client;
    judge_t judge;
    uint32_t starts;
    bool alone; /* the device has not been asked for anything since power came */
} world_t;

/* Where a walk of so many cuts can go back to. */
typedef struct {
    world_t world;
    flash_sim_t flash;
    uint8_t *bytes; /* of the flash */
    uint8_t *dirty; /* a byte for each block that is not as in `bytes` */
    uint32_t mark;  /* of the trace */
} level_t;

static world_t world;
static level_t levels[PROOF_CUTS_MAX];
static level_t beginning; /* of all walks */
static proof_cut_t cuts[PROOF_CUTS_MAX];
static bool is_torn[PROOF_CUTS_MAX]; /* by the cut */
static const proof_range_t *range;
static proof_result_t *result;

/* ---- the world goes on */

static bool is_over(void)
{
    return world.judge.failure != FAIL_NONE || (world.device.runs && client_is_done(&world.client));
}

/* All that may be written are the journal, and the slot that the client sends a file to. */
static void guard(void)
{
    uint32_t slot = world.device.runs ? client_target(&world.client) : UPDATE_NO_SLOT;
    const update_region_t *journal = &scenario.layout.journal;
    flash_sim.writable[0] = (flash_range_t){journal->offset, journal->size};
    flash_sim.writable[1] = (flash_range_t){0};
    if (slot != UPDATE_NO_SLOT) {
        const update_region_t *region = &scenario.layout.slots[slot];
        flash_sim.writable[1] = (flash_range_t){region->offset, region->size};
    }
}

static void go_on(void)
{
    guard();
    if (world.device.runs) {
        engine_choose(world.device.engine); /* the world before this one may have had another */
    }
    if (world.device.runs || client_is_outside(&world.client)) {
        world.alone = false;
        client_act(&world.client, &world.device, &world.judge);
    } else if (world.starts++ < STARTS_MAX) {
        device_start(&world.device, &world.judge);
    } else {
        judge_fail(&world.judge, FAIL_STUCK, "starts for ever");
    }
}

/* Power comes back after a cut. */
static void power_on(void)
{
    flash_sim_power_on();
    device_lose_ram(&world.device);
    client_lost(&world.client);
    judge_again(&world.judge);
    world.starts = 0;
    world.alone = true;
}

/* ---- going back */

static uint32_t block_count(void)
{
    return flash_sim.size / flash_sim.erase_size;
}

/* Copies the blocks that are dirty in `level`; they are dirty in the level around it, too. */
static void copy_dirty(const level_t *level, uint8_t *to, const uint8_t *from)
{
    uint8_t *outer = level == levels ? NULL : level[-1].dirty;
    uint32_t size = flash_sim.erase_size;
    for (uint32_t i = 0; i < block_count(); i++) {
        if (level->dirty[i] != 0) {
            memcpy(to + i * size, from + i * size, size);
            level->dirty[i] = 0;
            if (outer != NULL) {
                outer[i] = 1;
            }
        }
    }
}

static void put_aside(level_t *level)
{
    copy_dirty(level, level->bytes, flash_sim.bytes);
    level->world = world;
    level->flash = flash_sim;
    level->mark = trace_mark();
}

static void go_back(const level_t *level)
{
    copy_dirty(level, flash_sim.bytes, level->bytes);
    world = level->world;
    flash_sim = level->flash;
    trace_back(level->mark);
}

static void enter(level_t *level)
{
    memcpy(level->bytes, flash_sim.bytes, flash_sim.size);
    memset(level->dirty, 0, block_count());
    flash_sim.dirty = level->dirty;
}

/* ---- states */

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t z = (a ^ b) + 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A number that depends on nothing but the seed and the first `count` cuts. */
static uint64_t random_of(uint32_t count)
{
    uint64_t number = range->seed;
    for (uint32_t i = 0; i < count; i++) {
        number = mix(mix(number, cuts[i].operation), cuts[i].shape);
    }
    return mix(number, count);
}

static uint32_t deepest(void)
{
    if (range->only_count != 0) {
        return range->only_count;
    }
    return range->alone_gap == 0 ? 1 : 2;
}

static void describe(proof_result_t *to, uint32_t cut_count)
{
    to->failed[world.judge.failure]++;
    if (to->described == PROOF_FAILURES_MAX) {
        return;
    }
    proof_failure_t *failure = &to->failures[to->described++];
    failure->failure = world.judge.failure;
    snprintf(failure->what, sizeof failure->what, "%s", world.judge.what);
    memcpy(failure->cuts, cuts, sizeof cuts);
    failure->cut_count = cut_count;
}

/* A state has been followed to its end. */
static void count_state(uint32_t cut_count)
{
    if (world.judge.failure == FAIL_NONE) {
        judge_end(&world.judge, cut_count != 0);
    }
    if (cut_count < range->only_count) {
        return;
    }
    bool torn = false;
    for (uint32_t i = 0; i < cut_count; i++) {
        torn |= is_torn[i];
    }
    result->states++;
    result->torn += torn;
    result->doubles += cut_count > 1;
    if (world.judge.failure != FAIL_NONE) {
        describe(result, cut_count);
    }
    trace("judge: %s", world.judge.failure != FAIL_NONE ? world.judge.what : "all is well");
    trace_wanted = false; /* what a state has told stays */
}

/* ---- walks */

static bool is_wanted(uint32_t depth, uint64_t operation, uint32_t shape)
{
    if (range->only_count != 0) {
        return range->only[depth].operation == operation && range->only[depth].shape == shape;
    }
    return depth != 0 || (operation >= range->first && operation < range->end &&
                          (operation - 1) % range->every == 0);
}

/* Of the operations of a step one in so many is cut; 0: none. */
static uint32_t gap_of(uint32_t depth, bool alone)
{
    if (depth == 0 || range->only_count != 0) {
        return 1;
    }
    return alone ? range->alone_gap : range->client_gap;
}

static void walk(uint32_t depth);

/* The step that the world is at, with a cut; and what becomes of that. */
static void cut(const level_t *level, uint32_t depth, uint64_t operation, uint32_t shape)
{
    go_back(level);
    cuts[depth] = (proof_cut_t){.operation = operation, .shape = shape};
    flash_sim.cut_at = operation;
    flash_sim.shape = shape;
    flash_sim.seed = random_of(depth + 1);
    flash_sim.torn = false;
    go_on();
    is_torn[depth] = flash_sim.torn;
    trace("power fails in operation %llu, %s of %s at %#x", (unsigned long long)operation,
          flash_sim.cut_erase ? "an erase" : "a programming", trace_part(flash_sim.cut_offset),
          (unsigned)flash_sim.cut_offset);
    power_on();
    walk(depth + 1);
    count_state(depth + 1);
    flash_sim.dirty = level->dirty;
}

/* How far it is from an operation to the next one that is cut. */
static uint64_t distance(uint32_t depth, uint64_t operation, uint32_t gap)
{
    return gap <= 1 ? 1 : 1 + mix(random_of(depth), operation) % (2 * gap - 1);
}

/* Cuts at one in `gap` of the operations of the step that the world was at, up to `last`. `next` is
 * the first of them; returns the first one behind. */
static uint64_t cut_step(const level_t *level, uint32_t depth, uint64_t next, uint64_t last,
                         uint32_t gap)
{
    bool any = false;
    while (next <= last) {
        for (uint32_t shape = 0; shape < SHAPE_COUNT; shape++) {
            if (is_wanted(depth, next, shape)) {
                cut(level, depth, next, shape);
                any = true;
            }
        }
        next += distance(depth, next, gap);
    }
    if (any) {
        go_back(level);
        go_on();
    }
    return next;
}

/* To the end of the scenario; on the way, if cuts are wanted at this depth, with each of them. */
static void walk(uint32_t depth)
{
    if (depth == deepest()) {
        while (!is_over()) {
            go_on();
        }
        return;
    }
    level_t *level = &levels[depth];
    uint64_t next = 1;
    uint32_t last_gap = 1;
    enter(level);
    while (!is_over()) {
        put_aside(level);
        uint32_t gap = gap_of(depth, world.alone && !world.device.runs);
        if (gap != last_gap) {
            next = flash_sim.operations + distance(depth, flash_sim.operations, gap);
            last_gap = gap;
        }
        go_on();
        if (world.judge.failure == FAIL_NONE && gap != 0) {
            next = cut_step(level, depth, next, flash_sim.operations, gap);
        }
    }
    copy_dirty(level, level->bytes, flash_sim.bytes);
}

/* ---- from outside */

static void begin(void)
{
    memcpy(flash_sim.bytes, beginning.bytes, flash_sim.size);
    world = beginning.world;
    flash_sim = beginning.flash;
    flash_sim_power_on();
}

static void take_up(uint8_t *memory)
{
    proof_close();
    const update_layout_t *layout = &scenario.layout;
    memset(memory, 0xFF, scenario.flash_bytes);
    flash_sim = (flash_sim_t){
        .bytes = memory,
        .size = scenario.flash_bytes,
        .erase_size = layout->erase_size,
        .small_end = layout->journal.offset + layout->journal.size,
        .small_size = layout->journal_block,
        .write_size = layout->write_size,
    };
    world = (world_t){0};
    remember_nothing();
    judge_open(&world.judge);
    device_lose_ram(&world.device);
    beginning.bytes = malloc(flash_sim.size);
    for (uint32_t i = 0; i < PROOF_CUTS_MAX; i++) {
        levels[i].bytes = malloc(flash_sim.size);
        levels[i].dirty = calloc(block_count(), 1);
    }
}

bool proof_open(uint8_t *memory, proof_result_t *to)
{
    take_up(memory);
    while (world.judge.failure == FAIL_NONE && world.client.step < scenario.prepared) {
        go_on();
    }
    while (!is_over() && !world.device.runs && !client_is_outside(&world.client)) {
        go_on();
    }
    judge_look(&world.judge);
    world.judge.since = view_next(&world.judge.known);
    if (world.judge.failure != FAIL_NONE) {
        describe(to, 0);
        return false;
    }
    memcpy(beginning.bytes, flash_sim.bytes, flash_sim.size);
    beginning.world = world;
    beginning.flash = flash_sim;
    return true;
}

uint64_t proof_count(proof_result_t *to)
{
    begin();
    while (!is_over()) {
        go_on();
    }
    if (world.judge.failure == FAIL_NONE) {
        judge_end(&world.judge, false);
    }
    if (world.judge.failure != FAIL_NONE) {
        describe(to, 0);
        return 0;
    }
    return flash_sim.operations;
}

void proof_run(const proof_range_t *of, proof_result_t *to)
{
    range = of;
    result = to;
    begin();
    walk(0);
}

void proof_close(void)
{
    flash_sim = (flash_sim_t){0};
    free(beginning.bytes);
    beginning.bytes = NULL;
    for (uint32_t i = 0; i < PROOF_CUTS_MAX; i++) {
        free(levels[i].bytes);
        free(levels[i].dirty);
        levels[i] = (level_t){0};
    }
}
