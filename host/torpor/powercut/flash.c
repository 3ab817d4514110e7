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

/* The bits of `old` that an interrupted change to `target` has changed already. */
static void tear(uint8_t *old, const uint8_t *target, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        uint8_t done = i < length / 2 ? 0xFF : 0;
        if (flash_sim.shape == SHAPE_RANDOM) {
            done = (uint8_t)random_bits();
        } else if (flash_sim.shape == SHAPE_COMPLETE) {
            done = 0xFF;
        }
        old[i] = (uint8_t)((old[i] & ~done) | (target[i] & done));
    }
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

/* Counts `count` operations that make `target` of `length` bytes, `length / count` each; false if
 * power fails in one of them. */
static bool operate(uint32_t offset, const uint8_t *target, uint32_t length, uint32_t count)
{
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
    tear(bytes + done, target + done, size);
    flash_sim.operations = flash_sim.cut_at;
    flash_sim.dead = !flash_sim.once;
    flash_sim.cut_offset = offset + done;
    flash_sim.cut_erase = size > flash_sim.write_size;
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
    if (offset % flash_sim.erase_size != 0 || offset >= flash_sim.size) {
        return violation("erase of what is no block");
    }
    return operate(offset, erased_block(), flash_sim.erase_size, 1);
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
