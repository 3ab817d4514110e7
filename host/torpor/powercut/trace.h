/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What happens, in words, when a single state is looked at.
 */
#ifndef POWERCUT_TRACE_H
#define POWERCUT_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#define TRACE_BYTES 65536

extern bool trace_wanted;
extern char trace_text[TRACE_BYTES]; /* lines */

/* Adds a line, as printf() would. What has no room is left out. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How much there is; and to forget what has been added since. */
uint32_t trace_mark(void);
void trace_back(uint32_t mark);

/* How people call a slot. */
const char *trace_slot(uint32_t slot);

/* How people call the part of the flash that has `offset`. */
const char *trace_part(uint32_t offset);

#endif
