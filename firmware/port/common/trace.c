/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/trace.h on memory that survives a reset, which may come between any two stores.
 */
#include "hal/trace.h"

#include <stdbool.h>

#include "hal/clock.h"
#include "hal/restart.h"
#include "port/common/restart.h"

#define MAGIC      0x7472616Bu
#define CHECK_SEED 0x1D0Eu
#define WRITING    (1u << 31)

static uint16_t check_of(trace_counts_t counts)
{
    return (uint16_t)(CHECK_SEED + counts.resets + 3u * counts.watchdogs + 5u * counts.faults);
}

static void count(uint16_t *counter)
{
    if (*counter != UINT16_MAX) {
        (*counter)++;
    }
}

/* Counts how a run has ended. */
static void count_end(trace_counts_t *counts, uint32_t reason)
{
    if (reason == RESTART_WATCHDOG) {
        count(&counts->watchdogs);
    } else if (reason == RESTART_FAULT) {
        count(&counts->faults);
    } else {
        count(&counts->resets);
    }
}

/* An entry that was being written took the place of the oldest one, which is lost then. */
static uint32_t take_entries(const trace_memory_t *memory, trace_entry_t *entries)
{
    uint32_t noted = memory->noted & ~WRITING;
    uint32_t first = noted > TRACE_ENTRIES ? noted - TRACE_ENTRIES : 0;
    if ((memory->noted & WRITING) != 0 && noted >= TRACE_ENTRIES) {
        first++;
    }
    for (uint32_t i = first; i < noted; i++) {
        entries[i - first] = memory->entries[i % TRACE_ENTRIES];
    }
    return noted - first;
}

uint32_t trace_start(trace_entry_t entries[TRACE_ENTRIES], uint32_t reason)
{
    trace_memory_t *memory = &kept_memory()->trace;
    trace_counts_t counts = {0};
    uint32_t taken = 0;
    if (memory->magic == MAGIC && memory->check == check_of(memory->counts)) {
        counts = memory->counts;
        count_end(&counts, reason);
        taken = take_entries(memory, entries);
    }
    memory->noted = 0;
    memory->counts = counts;
    memory->check = check_of(counts);
    memory->magic = MAGIC;
    return taken;
}

/* Volatile: the entry is written between the two stores to `noted`, not before or behind them. */
void trace_note(uint16_t what, uint16_t value)
{
    volatile trace_memory_t *memory = &kept_memory()->trace;
    uint32_t noted = memory->noted & ~WRITING;
    volatile trace_entry_t *entry = &memory->entries[noted % TRACE_ENTRIES];
    memory->noted = noted | WRITING;
    entry->time = clock_ticks();
    entry->what = what;
    entry->value = value;
    memory->noted = (noted + 1) & ~WRITING;
}

trace_counts_t trace_counts(void)
{
    return kept_memory()->trace.counts;
}
