/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Counts instructions for tests/chips/engine.py and ends a slice exactly where it is asked to: the
 * engine calls count_instruction() before each instruction. Python would be a hundred times slower.
 */
#include <stdbool.h>
#include <stdint.h>

typedef int stop_t(void *engine);
typedef int read_t(void *engine, int id, void *value);

/* Known to engine.py as Slice. */
typedef struct {
    uint64_t count;   /* instructions executed */
    uint64_t limit;   /* none beyond this many */
    uint64_t address; /* of the last one */
    uint32_t stop;    /* by a model: none after this one */
    uint32_t watch;   /* stop where the register is such that ... */
    uint32_t mask;
    uint32_t wanted;
    int32_t id;       /* of that register */
    uint32_t stopped; /* the slice was ended here, not by the instruction itself */
    stop_t *stop_engine;
    read_t *read_register;
} slice_t;

static bool is_unmasked(void *engine, const slice_t *slice)
{
    uint32_t value = 0;
    slice->read_register(engine, slice->id, &value);
    return (value & slice->mask) == slice->wanted;
}

void count_instruction(void *engine, uint64_t address, uint32_t size, void *data)
{
    (void)size;
    slice_t *slice = data;
    bool ends = slice->stop != 0 || slice->count >= slice->limit;
    if (ends || (slice->watch != 0 && is_unmasked(engine, slice))) {
        slice->stopped = 1;
        slice->stop_engine(engine);
        return;
    }
    slice->count++;
    slice->address = address;
}
