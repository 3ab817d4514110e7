/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See flatbuffer.h. A table begins with how far its vtable lies before it; the vtable holds its own
 * size, the table's size, and where in the table each field lies, 0 if it is absent.
 */
#include "infer/tflm/flatbuffer.h"

#include "infer/plan/sizes.h"

#define VTABLE_HEAD 4u /* bytes before the first field's entry */

static const struct {
    uint8_t bytes;   /* in the table */
    uint8_t element; /* bytes of an element of the vector that the field leads to, if it does */
} kind_facts[] = {
    [FLAT_SKIP] = {0, 0},    [FLAT_BYTE] = {1, 0},    [FLAT_WORD] = {4, 0},
    [FLAT_NO_WORD] = {4, 0}, [FLAT_NO_LONG] = {8, 0}, [FLAT_BYTES] = {4, 1},
    [FLAT_TEXT] = {4, 1},    [FLAT_WORDS] = {4, 4},   [FLAT_LONGS] = {4, 8},
};

static uint32_t half_at(const flat_t *flat, uint32_t at)
{
    return *(const uint16_t *)(flat->bytes + at);
}

static uint32_t word_at(const flat_t *flat, uint32_t at)
{
    return *(const uint32_t *)(flat->bytes + at);
}

static int inside(const flat_t *flat, uint32_t at, uint32_t bytes)
{
    return at <= flat->length && bytes <= flat->length - at;
}

/* Where the offset at `at` leads: behind itself. What does not fit is nowhere inside. */
static uint32_t target(const flat_t *flat, uint32_t at)
{
    return size_add(at, word_at(flat, at));
}

/* Where a field lies in its table, 0 if it is absent. */
static uint32_t field_offset(const flat_t *flat, uint32_t table, uint32_t field)
{
    uint32_t vtable = table - word_at(flat, table);
    uint32_t entry = VTABLE_HEAD + 2u * field;
    return entry < half_at(flat, vtable) ? half_at(flat, vtable + entry) : 0;
}

/* Where a field lies in the flatbuffer, 0 if it is absent. */
static uint32_t field_at(const flat_t *flat, uint32_t table, uint32_t field)
{
    uint32_t offset = field_offset(flat, table, field);
    return offset != 0 ? table + offset : 0;
}

static int all_zero(const flat_t *flat, uint32_t at, uint32_t bytes)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        found |= flat->bytes[at + i];
    }
    return found == 0;
}

/* The offset at `at` leads to a vector of `kind`. */
static int vector_ok(const flat_t *flat, uint32_t at, uint32_t kind)
{
    uint32_t vector = target(flat, at);
    if (vector % FLAT_ALIGN != 0 || !inside(flat, vector, 4)) {
        return 0;
    }
    uint32_t start = vector + 4u;
    uint32_t size = word_at(flat, vector);
    uint32_t element = kind_facts[kind].element;
    uint32_t end = kind == FLAT_TEXT ? 1u : 0u;
    return inside(flat, start, size_add(size_mul(size, element), end)) &&
           (end == 0 || flat->bytes[start + size] == '\0');
}

/* The field at `at`, `offset` bytes into a table of `table_bytes`. */
static int field_ok(const flat_t *flat, uint32_t at, uint32_t offset, uint32_t table_bytes,
                    uint32_t kind)
{
    uint32_t bytes = kind_facts[kind].bytes;
    uint32_t align = bytes < FLAT_ALIGN ? bytes : FLAT_ALIGN;
    if (offset + bytes > table_bytes || at % align != 0) {
        return 0;
    }
    if (kind == FLAT_NO_WORD || kind == FLAT_NO_LONG) {
        return all_zero(flat, at, bytes);
    }
    return kind_facts[kind].element == 0 || vector_ok(flat, at, kind);
}

int flat_spend(flat_t *flat, uint32_t count)
{
    if (count > flat->left) {
        return 0;
    }
    flat->left -= count;
    return 1;
}

int flat_table(flat_t *flat, uint32_t at, const uint8_t *kinds, uint32_t count)
{
    if (!flat_spend(flat, 1) || at % FLAT_ALIGN != 0 || !inside(flat, at, 4)) {
        return 0;
    }
    uint32_t vtable = at - word_at(flat, at);
    if (vtable % 2 != 0 || !inside(flat, vtable, VTABLE_HEAD)) {
        return 0;
    }
    uint32_t vtable_bytes = half_at(flat, vtable);
    uint32_t table_bytes = half_at(flat, vtable + 2u);
    if (vtable_bytes % 2 != 0 || !inside(flat, vtable, vtable_bytes) ||
        !inside(flat, at, table_bytes)) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t offset = field_offset(flat, at, i);
        if (kinds[i] != FLAT_SKIP && offset != 0 &&
            !field_ok(flat, at + offset, offset, table_bytes, kinds[i])) {
            return 0;
        }
    }
    return 1;
}

uint32_t flat_byte(const flat_t *flat, uint32_t table, uint32_t field)
{
    uint32_t at = field_at(flat, table, field);
    return at != 0 ? flat->bytes[at] : 0;
}

uint32_t flat_word(const flat_t *flat, uint32_t table, uint32_t field)
{
    uint32_t at = field_at(flat, table, field);
    return at != 0 ? word_at(flat, at) : 0;
}

uint32_t flat_follow(const flat_t *flat, uint32_t table, uint32_t field)
{
    uint32_t at = field_at(flat, table, field);
    return at != 0 ? target(flat, at) : 0;
}

uint32_t flat_size(const flat_t *flat, uint32_t vector)
{
    return vector != 0 ? word_at(flat, vector) : 0;
}

uint32_t flat_number(const flat_t *flat, uint32_t vector, uint32_t index)
{
    return word_at(flat, vector + 4u + 4u * index);
}

uint32_t flat_element(const flat_t *flat, uint32_t vector, uint32_t index)
{
    return target(flat, vector + 4u + 4u * index);
}
