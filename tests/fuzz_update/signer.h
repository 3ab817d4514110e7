/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Makes and signs images, with the key that tests/support/images.py has too.
 */
#ifndef FUZZ_SIGNER_H
#define FUZZ_SIGNER_H

#include "update/image.h"
#include "update/verify.h"

#define SIGNER_MAX_BYTES 4096 /* of an image */

/* What an image is made of. */
typedef struct {
    const char *board; /* NULL: none is named */
    uint32_t address;  /* of firmware; models have none */
    bool is_model;
    uint32_t counter;
    uint32_t payload_bytes;
    const uint8_t *payload; /* NULL: bytes that differ from image to image */
    uint8_t version;
    bool other_key; /* signed by somebody else */
} signer_parts_t;

/* Writes a signed image; returns how many bytes it has. */
uint32_t signer_image(const signer_parts_t *parts, uint8_t *image);

/* What devices know of the key. */
void signer_key(update_key_t *key);

/* Signs a hash, as RFC 8032 has it: one signature for each hash. */
void signer_sign(const uint8_t hash[VERIFY_HASH_BYTES], uint8_t signature[VERIFY_SIGNATURE_BYTES]);

#endif
