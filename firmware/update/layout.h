/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Where slots and journal lie. The build makes `update_layout` and `update_key` from
 * boards/<board>/board.toml and the key file; bootloader and application get the same ones.
 */
#ifndef UPDATE_LAYOUT_H
#define UPDATE_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define UPDATE_FIRMWARE_SLOTS 2
#define UPDATE_MODEL_SLOTS    3
#define UPDATE_SLOTS          (UPDATE_FIRMWARE_SLOTS + UPDATE_MODEL_SLOTS)
#define UPDATE_NO_SLOT        0xFFu
#define UPDATE_KEY_BYTES      32

/* Slots are numbered through: 0 and 1 firmware (A and B), from 2 on models. */
typedef enum { UPDATE_FIRMWARE = 0, UPDATE_MODEL = 1, UPDATE_COMPONENTS = 2 } update_component_t;

/* Part of the flash; offset and size are multiples of the erase size (of journal_block). */
typedef struct {
    uint32_t offset;
    uint32_t size;
} update_region_t;

typedef struct {
    const char *board;       /* name that a firmware image must carry */
    uint32_t erase_size;     /* bytes of a block, a power of two from 512 on */
    uint32_t write_size;     /* bytes of a unit, a power of two from 1 to 32 */
    uint32_t erase_step;     /* blocks that are erased in a second or less; at least 1 */
    uint32_t journal_block;  /* bytes of an erase block of the journal, where they are smaller */
    update_region_t journal; /* at least two blocks */
    update_region_t slots[UPDATE_SLOTS];
    uint32_t link[UPDATE_FIRMWARE_SLOTS]; /* address that an image in the slot is linked for */
} update_layout_t;

/* Images must be signed with the private half. */
typedef struct {
    uint8_t public_key[UPDATE_KEY_BYTES]; /* Ed25519, RFC 8032 */
    uint8_t hash[32];                     /* SHA-256 of the key as SubjectPublicKeyInfo */
    bool development;                     /* the private half is public */
} update_key_t;

extern const update_layout_t update_layout;
extern const update_key_t update_key;

/* Which component a slot belongs to. */
static inline update_component_t update_component_of(uint32_t slot)
{
    return slot < UPDATE_FIRMWARE_SLOTS ? UPDATE_FIRMWARE : UPDATE_MODEL;
}

#endif
