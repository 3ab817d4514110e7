/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * SHA-256 (FIPS 180-4) and Ed25519 (RFC 8032), from libraries.
 */
#ifndef UPDATE_VERIFY_H
#define UPDATE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#define VERIFY_HASH_BYTES      32
#define VERIFY_SIGNATURE_BYTES 64

/* SHA-256 of `length` bytes. */
void verify_hash(const void *bytes, uint32_t length, uint8_t hash[VERIFY_HASH_BYTES]);

/* True if `signature` is that of `length` bytes by the owner of `public_key`. A signature whose S
 * is not below the group's order is refused, as RFC 8032 5.1.7 wants it: there is one for each
 * message, not several. `length` is at most 64: what is signed is a hash. */
bool verify_signature(const uint8_t signature[VERIFY_SIGNATURE_BYTES], const uint8_t public_key[32],
                      const void *bytes, uint32_t length);

#endif
