/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See flash.h.
 */
#include "flash.h"

#include <string.h>

#include "hal/flash.h"

#define ERASED    0xFF
#define BLOCK_MAX (1u << 20)

flash_sim_t flash_sim;

static bool violation(const char *what)
{
    flash_sim.violations++;
    if (flash_sim.violation == NULL) {
        flash_sim.violation = what;
    }
    return false;
}

/* SplitMix64 (Steele, Lea, Flood 2014): any seed is good. */
static uint64_t random_bits(void)
{
    flash_sim.seed += 0x9E3779B97F4A7C15u;
    uint64_t z = flash_sim.seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* How an erase that stops somewhere leaves its block. */
typedef enum {
    ERASE_HALF,     /* half of the bits are erased, */
    ERASE_EARLY,    /* few, */
    ERASE_LATE,     /* all but a few, */
    ERASE_LEVEL,    /* none: many chips program what is not, before they erase */
    ERASE_FROM_END, /* the second half is */
    ERASE_WAYS
} erase_way_t;

static uint8_t erase_mask(erase_way_t way, bool second_half)
{
    uint64_t bits = random_bits();
    uint64_t few = bits & (bits >> 8) & (bits >> 16) & (bits >> 24) & (bits >> 32) & (bits >> 40);
    switch (way) {
    case ERASE_EARLY:
        return (uint8_t)few;
    case ERASE_LATE:
        return (uint8_t)~few;
    case ERASE_FROM_END:
        return second_half ? 0xFF : 0;
    default:
        return (uint8_t)bits;
    }
}

static void tear_erase(uint8_t *block, uint32_t length)
{
    erase_way_t way = (erase_way_t)(random_bits() % ERASE_WAYS);
    for (uint32_t i = 0; i < length; i++) {
        uint8_t mask = erase_mask(way, i >= length / 2);
        block[i] = way == ERASE_LEVEL ? (uint8_t)(block[i] & ~mask) : (uint8_t)(block[i] | mask);
    }
}

static bool is_writable(uint32_t offset, uint32_t length)
{
    bool all = true;
    for (uint32_t i = 0; i < 2; i++) {
        const flash_range_t *range = &flash_sim.writable[i];
        all &= range->size == 0;
        if (offset - range->offset < range->size &&
            length <= range->size - (offset - range->offset)) {
            return true;
        }
    }
    return all;
}

static void mark_dirty(uint32_t offset, uint32_t length)
{
    if (flash_sim.dirty == NULL || length == 0) {
        return;
    }
    uint32_t last = (offset + length - 1) / flash_sim.erase_size;
    for (uint32_t block = offset / flash_sim.erase_size; block <= last; block++) {
        flash_sim.dirty[block] = 1;
    }
}

static void tear_unit(uint8_t *unit, const uint8_t *target, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        unit[i] &= (uint8_t)(target[i] | random_bits());
    }
}

/* Leaves of the change of `bytes` to `target` what is done when power fails. */
static void tear(uint8_t *bytes, const uint8_t *target, uint32_t length, bool is_erase)
{
    if (flash_sim.shape == SHAPE_PREFIX) {
        memcpy(bytes, target, length / 2);
    } else if (flash_sim.shape == SHAPE_COMPLETE) {
        memcpy(bytes, target, length);
    } else if (is_erase) {
        tear_erase(bytes, length);
    } else {
        tear_unit(bytes, target, length);
    }
}

/* Power fails in an operation that makes `target` of `length` bytes. */
static void cut_off(uint32_t offset, const uint8_t *target, uint32_t length)
{
    static uint8_t before[BLOCK_MAX];
    uint8_t *bytes = flash_sim.bytes + offset;
    flash_sim.dead = !flash_sim.once;
    flash_sim.cut_offset = offset;
    flash_sim.cut_erase = length > flash_sim.write_size;
    memcpy(before, bytes, length);
    tear(bytes, target, length, flash_sim.cut_erase);
    flash_sim.torn = memcmp(bytes, before, length) != 0 && memcmp(bytes, target, length) != 0;
}

/* Counts `count` operations that make `target` of `length` bytes, `length / count` each; false if
 * power fails in one of them. */
static bool operate(uint32_t offset, const uint8_t *target, uint32_t length, uint32_t count)
{
    if (!is_writable(offset, length)) {
        return violation("writing to where nobody has sent anything");
    }
    if (offset < flash_sim.bad.offset + flash_sim.bad.size &&
        offset + length > flash_sim.bad.offset) {
        return false;
    }
    uint8_t *bytes = flash_sim.bytes + offset;
    uint64_t first = flash_sim.operations + 1;
    mark_dirty(offset, length);
    if (flash_sim.cut_at < first || flash_sim.cut_at >= first + count) {
        memcpy(bytes, target, length);
        flash_sim.operations += count;
        return true;
    }
    uint32_t size = length / count;
    uint32_t done = (uint32_t)(flash_sim.cut_at - first) * size;
    memcpy(bytes, target, done);
    flash_sim.operations = flash_sim.cut_at;
    cut_off(offset + done, target + done, size);
    return false;
}

void flash_start(void)
{
}

const uint8_t *flash_at(uint32_t offset)
{
    return flash_sim.bytes + offset;
}

/* A block that is erased. */
static const uint8_t *erased_block(void)
{
    static uint8_t block[BLOCK_MAX];
    if (block[0] != ERASED) {
        memset(block, ERASED, sizeof block);
    }
    return block;
}

bool flash_erase(uint32_t offset)
{
    if (flash_sim.dead) {
        return false;
    }
    uint32_t block = offset < flash_sim.small_end ? flash_sim.small_size : flash_sim.erase_size;
    if (offset % block != 0 || offset >= flash_sim.size) {
        return violation("erase of what is no block");
    }
    return operate(offset, erased_block(), block, 1);
}

/* Length of the whole units from `offset` on that are erased, at most `length`. */
static uint32_t erased_length(uint32_t offset, uint32_t length)
{
    const uint8_t *bytes = flash_sim.bytes + offset;
    if (length <= BLOCK_MAX && memcmp(bytes, erased_block(), length) == 0) {
        return length;
    }
    uint32_t i = 0;
    while (i < length && bytes[i] == ERASED) {
        i++;
    }
    return i - i % flash_sim.write_size;
}

bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    if (flash_sim.dead) {
        return false;
    }
    uint32_t unit = flash_sim.write_size;
    if (offset % unit != 0 || length % unit != 0 || offset > flash_sim.size ||
        length > flash_sim.size - offset) {
        return violation("programming of what are no whole units");
    }
    uint32_t good = erased_length(offset, length);
    if (!operate(offset, data, good, good / unit)) {
        return false;
    }
    return good == length || violation("programming of a unit that is not erased");
}

void flash_sim_power_on(void)
{
    flash_sim.operations = 0;
    flash_sim.cut_at = 0;
    flash_sim.once = false;
    flash_sim.dead = false;
}

void flash_sim_load(uint32_t offset, const uint8_t *bytes, uint32_t length)
{
    memcpy(flash_sim.bytes + offset, bytes, length);
}
