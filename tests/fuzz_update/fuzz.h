/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What a fuzz target is: LLVMFuzzerTestOneInput(), as libFuzzer calls it too, in a file
 * target_<name>.c. Inputs are scripts: bytes that say what to do, so that a plain mutation of bytes
 * gets past lengths and checksums; what comes after the end of a script is zero.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs one input; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* True if inputs are full of offsets: most changes should then leave bytes where they are. */
extern const bool fuzz_offsets;

/* True while a target looks at what has happened: code that runs for that reaches nothing. */
extern bool fuzz_looking;

/* Says that the code under test has done what it must not, and ends the process. */
_Noreturn void fuzz_fail(const char *sentence);

/* Counts an outcome for the table; `what` is a constant. */
void fuzz_count(const char *what);

/* Prints what happens, while an input is replayed. */
__attribute__((format(printf, 1, 2))) void fuzz_say(const char *format, ...);

/* The rest of a script. */
typedef struct {
    const uint8_t *bytes;
    size_t left;
} script_t;

static inline uint8_t script_byte(script_t *script)
{
    if (script->left == 0) {
        return 0;
    }
    script->left--;
    return *script->bytes++;
}

/* Little endian. */
static inline uint32_t script_u16(script_t *script)
{
    uint32_t low = script_byte(script);
    return low | (uint32_t)script_byte(script) << 8;
}

static inline uint32_t script_u32(script_t *script)
{
    uint32_t low = script_u16(script);
    return low | script_u16(script) << 16;
}

/* A number below `count`. */
static inline uint32_t script_below(script_t *script, uint32_t count)
{
    return script_byte(script) % count;
}

#endif
