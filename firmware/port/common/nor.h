/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The rules of NOR flash: what erased memory is, and, for boards whose flash is a stand-in, how
 * plain memory keeps them. For ports only.
 */
#ifndef PORT_COMMON_NOR_H
#define PORT_COMMON_NOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NOR_ERASED 0xFFFFFFFFu

/* Whether what is seen at `at` is erased; address and length are multiples of 4. */
static inline bool nor_is_erased(const uint8_t *at, uint32_t length)
{
    const volatile uint32_t *cells = (const void *)at;
    for (uint32_t i = 0; i < length / 4; i++) {
        if (cells[i] != NOR_ERASED) {
            return false;
        }
    }
    return true;
}

/* Erases a block; its address and size are multiples of 4. Each store is one step that power may be
 * cut after. */
static inline void nor_erase(uint8_t *block, uint32_t size)
{
    volatile uint32_t *cells = (void *)block;
    for (uint32_t i = 0; i < size / 4; i++) {
        cells[i] = NOR_ERASED;
    }
}

/* Programs whole words in ascending order. False, before the first word that is not erased:
 * programming clears bits and never sets them, and is done once. */
static inline bool nor_program(uint8_t *at, const uint8_t *data, uint32_t length)
{
    volatile uint32_t *cells = (void *)at;
    for (uint32_t i = 0; i < length / 4; i++) {
        uint32_t word;
        memcpy(&word, data + 4 * i, sizeof word);
        if (cells[i] != NOR_ERASED) {
            return false;
        }
        cells[i] = word;
    }
    return true;
}

#endif
