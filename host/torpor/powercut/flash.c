/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See flash.h.
 */
#include "flash.h"

#include <string.h>

#include "hal/flash.h"

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

/* Counts an operation that makes `bytes` of `target`; false if power fails in it. */
static bool operate(uint8_t *bytes, const uint8_t *target, uint32_t length)
{
    flash_sim.operations++;
    if (flash_sim.operations == flash_sim.cut_at) {
        tear(bytes, target, length);
        flash_sim.dead = true;
        return false;
    }
    memcpy(bytes, target, length);
    return true;
}

void flash_start(void)
{
}

const uint8_t *flash_at(uint32_t offset)
{
    return flash_sim.bytes + offset;
}

bool flash_erase(uint32_t offset)
{
    static uint8_t erased[1 << 20];
    if (flash_sim.dead) {
        return false;
    }
    if (offset % flash_sim.erase_size != 0 || offset >= flash_sim.size) {
        return violation("erase of what is no block");
    }
    memset(erased, 0xFF, flash_sim.erase_size);
    return operate(flash_sim.bytes + offset, erased, flash_sim.erase_size);
}

static bool program_unit(uint8_t *unit, const uint8_t *data)
{
    for (uint32_t i = 0; i < flash_sim.write_size; i++) {
        if (unit[i] != 0xFF) {
            return violation("programming of a unit that is not erased");
        }
    }
    return operate(unit, data, flash_sim.write_size);
}

bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    if (flash_sim.dead) {
        return false;
    }
    if (offset % flash_sim.write_size != 0 || length % flash_sim.write_size != 0 ||
        offset > flash_sim.size || length > flash_sim.size - offset) {
        return violation("programming of what are no whole units");
    }
    for (uint32_t i = 0; i < length; i += flash_sim.write_size) {
        if (!program_unit(flash_sim.bytes + offset + i, (const uint8_t *)data + i)) {
            return false;
        }
    }
    return true;
}

void flash_sim_power_on(void)
{
    flash_sim.operations = 0;
    flash_sim.cut_at = 0;
    flash_sim.dead = false;
}

void flash_sim_load(uint32_t offset, const uint8_t *bytes, uint32_t length)
{
    memcpy(flash_sim.bytes + offset, bytes, length);
}
