/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/cpu.h for every Cortex-M.
 */
#include "hal/cpu.h"

#include "port/cortexm/cortexm.h"

#define STACK_PATTERN 0x5AFE57ACu

/* From the linker script: the reserved stack. */
extern uint32_t __stack_limit[], __stack_top[];

uint32_t cpu_irq_disable(void)
{
    uint32_t primask;
    __asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(primask)::"memory");
    return primask;
}

void cpu_irq_restore(uint32_t state)
{
    __asm volatile("msr primask, %0" ::"r"(state) : "memory");
}

void cpu_irq_enable(void)
{
    __asm volatile("cpsie i" ::: "memory");
}

void cpu_sleep(void)
{
    __asm volatile("dsb\n\twfi" ::: "memory");
}

void cpu_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    AIRCR = AIRCR_VECTKEY | AIRCR_SYSRESETREQ;
    for (;;) {
    }
}

/* The pattern is written through a volatile pointer: below the stack pointer the compiler may
 * assume that nothing lives. The distance keeps this function's own frame intact. */
void cortexm_paint_stack(void)
{
    uint32_t *end = (uint32_t *)__builtin_frame_address(0) - 16;
    for (volatile uint32_t *word = __stack_limit; word < end; word++) {
        *word = STACK_PATTERN;
    }
}

uint32_t cpu_stack_used(void)
{
    const volatile uint32_t *word = __stack_limit;
    while (word < __stack_top && *word == STACK_PATTERN) {
        word++;
    }
    return (uint32_t)((uintptr_t)__stack_top - (uintptr_t)word);
}
