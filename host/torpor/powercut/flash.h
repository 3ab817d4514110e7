/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/flash.h in memory, with the rules of real NOR flash and a power cut at any operation. An
 * operation is the erase of a block or the programming of one write unit. After the cut the flash
 * is dead: nothing is written any more and every call fails, so that what the code still does
 * before it is thrown away leaves no trace, just as if the CPU had stopped.
 */
#ifndef POWERCUT_FLASH_H
#define POWERCUT_FLASH_H

#include <stdbool.h>
#include <stdint.h>

/* What the operation that is cut leaves behind. "Nothing" is not among them: it is what the
 * operation before leaves when it has completed. */
typedef enum {
    SHAPE_PREFIX = 0,   /* the first half is done */
    SHAPE_RANDOM = 1,   /* each bit that should change has or has not, by the seed; of an erase it
                           also decides how far it has come, and from where */
    SHAPE_COMPLETE = 2, /* done, but nobody was told */
    SHAPE_COUNT = 3
} flash_shape_t;

typedef struct {
    uint32_t offset;
    uint32_t size;
} flash_range_t;

typedef struct {
    uint8_t *bytes;
    uint32_t size;
    uint32_t erase_size; /* of a block, but for those */
    uint32_t small_end;  /* below this offset, */
    uint32_t small_size; /* which divides it */
    uint32_t write_size;
    uint64_t operations; /* so far */
    uint64_t cut_at;     /* number of the operation that is cut, from 1 on; 0: none */
    uint32_t shape;      /* flash_shape_t */
    uint64_t seed;
    bool dead;
    bool torn;                 /* what was cut is neither as it was nor as it should be */
    flash_range_t writable[2]; /* nothing else may change; all of it if both are empty */
    flash_range_t bad;         /* what is worn out: it stays as it is, and says so */
    bool once; /* only the operation that is cut fails: no power cut, a fault of the flash */
    uint32_t violations; /* calls that broke a rule: bounds, alignment, a unit that is not erased */
    const char *violation; /* the first one */
    uint8_t *dirty;        /* a byte for each block, set when it changes; NULL: nobody asks */
    uint32_t cut_offset;   /* where power failed, */
    bool cut_erase;        /* in an erase */
} flash_sim_t;

extern flash_sim_t flash_sim;

/* Power comes back: the flash works, counts from 0 and is not cut. */
void flash_sim_power_on(void);

/* Programs bytes without rules, count or cut: the factory. */
void flash_sim_load(uint32_t offset, const uint8_t *bytes, uint32_t length);

#endif
