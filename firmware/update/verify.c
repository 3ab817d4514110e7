/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * SHA-256 and SHA-512 are BearSSL's, the curve is Monocypher's, which brings no SHA-512 of its own
 * and so can be given any.
 */
#include "update/verify.h"

#include "bearssl_hash.h"
#include "monocypher.h"

#define REDUCED_BYTES 32

void verify_hash(const void *bytes, uint32_t length, uint8_t hash[VERIFY_HASH_BYTES])
{
    br_sha256_context context;
    br_sha256_init(&context);
    br_sha256_update(&context, bytes, length);
    br_sha256_out(&context, hash);
}

/* SHA-512(R || A || M) modulo the group's order. A function of its own, so that its context is off
 * the stack before the curve, which needs most of it, gets going. */
__attribute__((noinline)) static void reduced_hash(const uint8_t r[32],
                                                   const uint8_t public_key[32], const void *bytes,
                                                   uint32_t length, uint8_t reduced[REDUCED_BYTES])
{
    br_sha512_context context;
    uint8_t hash[br_sha512_SIZE];
    br_sha512_init(&context);
    br_sha512_update(&context, r, 32);
    br_sha512_update(&context, public_key, 32);
    br_sha512_update(&context, bytes, length);
    br_sha512_out(&context, hash);
    crypto_eddsa_reduce(reduced, hash);
}

bool verify_signature(const uint8_t signature[VERIFY_SIGNATURE_BYTES], const uint8_t public_key[32],
                      const void *bytes, uint32_t length)
{
    uint8_t reduced[REDUCED_BYTES];
    reduced_hash(signature, public_key, bytes, length, reduced);
    /* Refuses S from the group's order on, and points that are not on the curve. Multiplies by the
     * cofactor as RFC 8032 has it, so a key of small order would accept anybody's signatures: who
     * makes an update_key_t refuses such keys (host/torpor/image/keys.py). */
    return crypto_eddsa_check_equation(signature, public_key, reduced) == 0;
}
