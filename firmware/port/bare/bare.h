/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What every chip without an operating system needs, whatever its core: RAM as C wants it, the
 * painted stack, memory that a reset keeps. For ports only.
 */
#ifndef PORT_BARE_BARE_H
#define PORT_BARE_BARE_H

#include "hal/cpu.h"
#include "hal/restart.h"
#include "port/common/restart.h"

#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* For functions that run while the flash cannot be read: copied to RAM at start. */
#define RAM_FUNCTION __attribute__((section(".ramfunc"), noinline))

/* At the very beginning of the RAM. */
extern kept_memory_t bare_kept_memory;

/* Paints the unused part of the stack, copies .data and clears .bss. Call once, first of all. */
void bare_prepare_memory(void);

#endif
