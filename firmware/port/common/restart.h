/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The memory behind hal/restart.h and hal/trace.h: RAM that a reset leaves alone and nobody clears.
 * Bootloader and applications that were built years apart share it: nothing in it is moved or given
 * another meaning. For ports only.
 */
#ifndef PORT_COMMON_RESTART_H
#define PORT_COMMON_RESTART_H

#include <stdint.h>

#include "hal/trace.h"

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
    uint32_t given_slot; /* bits 0 .. 7; bit 8: on trial; bit 9: RAM had survived; bits 16
                            .. 23: restart_cause_t */
    uint32_t given_reason;
    uint32_t given_exception;
    uint32_t given_pc;
    uint32_t given_lr;
    uint32_t cfsr;       /* the CPU's word about the fault that was noted or given; holds only */
    uint32_t cfsr_check; /* if this check of it and of the four words fits */
} restart_memory_t;

_Static_assert(sizeof(restart_memory_t) == 64, "old programs know as much");

/* Behind it, for applications alone (hal/trace.h): bootloaders leave it as it is. Old ones do not
 * know of it, hence the magic number and the check of its own. */
typedef struct {
    uint32_t magic;
    trace_counts_t counts;
    uint16_t check;                       /* of the counts */
    uint32_t noted;                       /* entries of this run; bit 31 while one is written */
    trace_entry_t entries[TRACE_ENTRIES]; /* the n-th at n modulo TRACE_ENTRIES */
    uint32_t reserved[2];
} trace_memory_t;

typedef struct {
    restart_memory_t restart;
    trace_memory_t trace;
} kept_memory_t;

_Static_assert(sizeof(kept_memory_t) == 152, "64 bytes and 88 behind them");

/* The port's: where it is. */
kept_memory_t *kept_memory(void);

/* After restart_note(), for faults: the CPU's word about it. */
void restart_note_status(uint32_t cfsr);

#endif
