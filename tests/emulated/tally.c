/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The smallest firmware that shows what resets and power cuts do: it counts its starts in RAM, and
 * fills the flash word by word, as far as it is told, each word once in the life of the flash.
 *
 * Made for each board with -D: CODE, RAM, FLASH (addresses), BEFORE and AFTER (what a word takes,
 * besides the store; `place` is where it goes).
 */
#include <stdint.h>

#define ERASED 0xFFFFFFFFu
#define MAGIC  0x746F7270u

typedef volatile uint32_t word_t;

/* At the beginning of the RAM, and only there: the host looks at it. */
struct tally {
    uint32_t magic;
    uint32_t resets;  /* that RAM has survived */
    uint32_t limit;   /* words to write; set by the host */
    uint32_t written; /* since the last start */
};
static volatile struct tally *const tally = (volatile struct tally *)RAM;

void start(void) __attribute__((noreturn));

#ifdef __arm__
__attribute__((section(".first"), used)) static const void *const vectors[16] = {
    (void *)(RAM + 0x1000),
    start,
    start,
    start,
};
#else
__asm__(".section .first,\"ax\"\n.option norelax\nli sp, " STACK "\nla t0, start\njr t0\n");
#endif

__attribute__((noinline)) void put(word_t *place, uint32_t value)
{
    BEFORE;
    *place = value;
    AFTER;
}

void start(void)
{
    tally->resets = tally->magic == MAGIC ? tally->resets + 1 : 0;
    tally->limit = tally->magic == MAGIC ? tally->limit : 0;
    tally->magic = MAGIC;
    tally->written = 0;
    word_t *flash = (word_t *)FLASH;
    uint32_t next = 0;
    while (flash[next] != ERASED) {
        next++;
    }
    for (;;) {
        while (next < tally->limit) {
            put(flash + next, (tally->resets << 16) + next);
            next++;
            tally->written++;
        }
    }
}
