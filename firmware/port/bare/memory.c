/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * RAM at start, and how much of the stack has been used. The symbols with two underscores are set
 * by the linker script, which the build makes from the board's memory map.
 */
#include "port/bare/bare.h"

#define STACK_PATTERN 0x5AFE57ACu

extern uint32_t __data_load[], __data_start[], __data_end[];
extern uint32_t __bss_start[], __bss_end[];
extern uint32_t __stack_limit[], __stack_top[];

/* The pattern is written through a volatile pointer: below the stack pointer the compiler may
 * assume that nothing lives. The distance keeps this function's own frame intact. */
static void paint_stack(void)
{
    uint32_t *end = (uint32_t *)__builtin_frame_address(0) - 16;
    for (volatile uint32_t *word = __stack_limit; word < end; word++) {
        *word = STACK_PATTERN;
    }
}

static void copy_data(void)
{
    const uint32_t *from = __data_load;
    for (uint32_t *to = __data_start; to < __data_end; to++) {
        *to = *from++;
    }
}

static void clear_bss(void)
{
    for (uint32_t *word = __bss_start; word < __bss_end; word++) {
        *word = 0;
    }
}

void bare_prepare_memory(void)
{
    paint_stack();
    copy_data();
    clear_bss();
}

uint32_t cpu_stack_used(void)
{
    const volatile uint32_t *word = __stack_limit;
    while (word < __stack_top && *word == STACK_PATTERN) {
        word++;
    }
    return (uint32_t)((uintptr_t)__stack_top - (uintptr_t)word);
}
