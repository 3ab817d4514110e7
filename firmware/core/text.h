/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Builds short lines of text without printf: what does not fit is cut off.
 */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include <stdint.h>

#define TEXT_BYTES 96

/* All zero is an empty text. */
typedef struct {
    uint32_t length;
    char bytes[TEXT_BYTES]; /* not NUL-terminated */
} text_t;

/* Appends a NUL-terminated string; control characters become '?', so that no text can look like
 * the marker of a frame. */
void text_string(text_t *text, const char *string);

/* Appends a number in decimal. */
void text_uint(text_t *text, uint32_t number);

/* Appends a number as 8 hexadecimal digits. */
void text_hex(text_t *text, uint32_t number);

/* Appends LF, in place of the last character if the text is full. */
void text_end(text_t *text);

#endif
