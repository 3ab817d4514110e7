/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What every chip without an operating system needs, whatever its core: RAM as C wants it, the
 * painted stack, the record of the last fault. For the start-up and fault code of ports only.
 */
#ifndef PORT_BARE_BARE_H
#define PORT_BARE_BARE_H

#include "hal/cpu.h"

#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Paints the unused part of the stack, copies .data and clears .bss. Call once, first of all. */
void bare_prepare_memory(void);

/* Keeps `fault` over a reset, for cpu_take_fault(), and resets. */
void bare_fault(cpu_fault_t fault) __attribute__((noreturn));

#endif
