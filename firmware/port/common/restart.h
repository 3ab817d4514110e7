/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The memory behind hal/restart.h: RAM that a reset leaves alone and nobody clears. Bootloader and
 * applications that were built years apart share it: nothing in it is moved or given another
 * meaning. For ports only.
 */
#ifndef PORT_COMMON_RESTART_H
#define PORT_COMMON_RESTART_H

#include <stdint.h>

typedef struct {
    uint32_t
        vectors; /* address of the vector table in force, where no register of the core has it */
    /* Why the last run ended; holds only if `check` fits. */
    uint32_t magic[2];
    uint32_t reason;
    uint32_t exception;
    uint32_t pc;
    uint32_t lr;
    uint32_t check; /* of the four words before */
    /* From the bootloader to the application; holds only with its magic number. */
    uint32_t given;
    uint32_t given_slot; /* bits 0 .. 7; bit 8: on trial; bit 9: RAM had survived */
    uint32_t given_reason;
    uint32_t given_exception;
    uint32_t given_pc;
    uint32_t given_lr;
    uint32_t reserved[2];
} restart_memory_t;

_Static_assert(sizeof(restart_memory_t) == 64, "the linker script reserves as much");

/* The port's: where it is. */
restart_memory_t *restart_memory(void);

#endif
