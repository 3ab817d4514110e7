/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See trace.h.
 */
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

#include "scenario.h"

bool trace_wanted;
char trace_text[TRACE_BYTES];
static uint32_t used;

uint32_t trace_mark(void)
{
    return used;
}

void trace_back(uint32_t mark)
{
    if (trace_wanted) {
        used = mark;
        trace_text[used] = '\0';
    }
}

void trace(const char *format, ...)
{
    if (!trace_wanted) {
        return;
    }
    size_t room = sizeof trace_text - used - 1;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(trace_text + used, room, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < room) {
        used += (uint32_t)length;
        trace_text[used++] = '\n';
    }
    trace_text[used] = '\0';
}

const char *trace_slot(uint32_t slot)
{
    static const char *const names[UPDATE_SLOTS] = {"slot A", "slot B", "model slot 0",
                                                    "model slot 1", "model slot 2"};
    return slot < UPDATE_SLOTS ? names[slot] : "nothing";
}

const char *trace_part(uint32_t offset)
{
    for (uint32_t slot = 0; slot < UPDATE_SLOTS; slot++) {
        const update_region_t *region = &scenario.layout.slots[slot];
        if (offset - region->offset < region->size) {
            return trace_slot(slot);
        }
    }
    return "the journal";
}
