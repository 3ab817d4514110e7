/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See text.h.
 */
#include "core/text.h"

static void put(text_t *text, char character)
{
    if (text->length < TEXT_BYTES) {
        text->bytes[text->length++] = character;
    }
}

void text_string(text_t *text, const char *string)
{
    for (; *string != '\0'; string++) {
        unsigned char byte = (unsigned char)*string;
        put(text, byte < 0x20 || byte == 0x7F ? '?' : *string);
    }
}

void text_uint(text_t *text, uint32_t number)
{
    char digits[10];
    uint32_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count != 0) {
        put(text, digits[--count]);
    }
}

void text_hex(text_t *text, uint32_t number)
{
    for (int shift = 28; shift >= 0; shift -= 4) {
        put(text, "0123456789abcdef"[(number >> shift) & 15]);
    }
}

void text_end(text_t *text)
{
    if (text->length == TEXT_BYTES) {
        text->length--;
    }
    put(text, '\n');
}
