/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See signer.h.
 */
#include "signer.h"

#include <string.h>

#include "bearssl_hash.h"
#include "monocypher.h"

#define HEADER_MODEL    IMAGE_HEADER_BYTES
#define HEADER_FIRMWARE 64
#define NON_BOOTABLE    0x10u
#define ROM_FIXED       0x100u

/* An Ed25519 key as RFC 8032, 5.1.5 makes it of a seed. */
typedef struct {
    uint8_t scalar[32];
    uint8_t prefix[32];
    uint8_t public_key[32];
} pair_t;

typedef struct {
    uint8_t *bytes;
    uint32_t length;
} writer_t;

static void sha512(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes,
                   const uint8_t *c, size_t c_bytes, uint8_t hash[64])
{
    br_sha512_context context;
    br_sha512_init(&context);
    br_sha512_update(&context, a, a_bytes);
    br_sha512_update(&context, b, b_bytes);
    br_sha512_update(&context, c, c_bytes);
    br_sha512_out(&context, hash);
}

/* Key number 0 or 1 of tests/support/images.py. */
static const pair_t *pair_of(bool other)
{
    static pair_t pairs[2];
    static bool made[2];
    pair_t *pair = &pairs[other];
    if (!made[other]) {
        uint8_t seed[VERIFY_HASH_BYTES];
        uint8_t expanded[64];
        verify_hash(other ? "key 1" : "key 0", 5, seed);
        sha512(seed, sizeof seed, NULL, 0, NULL, 0, expanded);
        crypto_eddsa_trim_scalar(pair->scalar, expanded);
        memcpy(pair->prefix, expanded + 32, 32);
        crypto_eddsa_scalarbase(pair->public_key, pair->scalar);
        made[other] = true;
    }
    return pair;
}

/* RFC 8032, 5.1.6. */
static void sign(const pair_t *pair, const uint8_t *hash, uint8_t *signature)
{
    uint8_t digest[64];
    uint8_t nonce[32];
    uint8_t challenge[32];
    sha512(pair->prefix, 32, hash, VERIFY_HASH_BYTES, NULL, 0, digest);
    crypto_eddsa_reduce(nonce, digest);
    crypto_eddsa_scalarbase(signature, nonce);
    sha512(signature, 32, pair->public_key, 32, hash, VERIFY_HASH_BYTES, digest);
    crypto_eddsa_reduce(challenge, digest);
    crypto_eddsa_mul_add(signature + 32, challenge, pair->scalar, nonce);
}

static void key_hash(const pair_t *pair, uint8_t hash[VERIFY_HASH_BYTES])
{
    static const uint8_t prefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                     0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    uint8_t info[sizeof prefix + 32];
    memcpy(info, prefix, sizeof prefix);
    memcpy(info + sizeof prefix, pair->public_key, 32);
    verify_hash(info, sizeof info, hash);
}

void signer_key(update_key_t *key)
{
    *key = (update_key_t){.development = true};
    memcpy(key->public_key, pair_of(false)->public_key, sizeof key->public_key);
    key_hash(pair_of(false), key->hash);
}

void signer_sign(const uint8_t hash[VERIFY_HASH_BYTES], uint8_t signature[VERIFY_SIGNATURE_BYTES])
{
    sign(pair_of(false), hash, signature);
}

static void put(writer_t *writer, uint32_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        writer->bytes[writer->length++] = (uint8_t)(value >> 8 * i);
    }
}

static void put_record(writer_t *writer, uint32_t type, const void *value, uint32_t bytes)
{
    put(writer, type, 2);
    put(writer, bytes, 2);
    memcpy(writer->bytes + writer->length, value, bytes);
    writer->length += bytes;
}

static void put_header(writer_t *writer, const signer_parts_t *parts, uint32_t protected_bytes)
{
    uint32_t bytes = parts->is_model ? HEADER_MODEL : HEADER_FIRMWARE;
    put(writer, IMAGE_MAGIC, 4);
    put(writer, parts->is_model ? 0 : parts->address, 4);
    put(writer, bytes, 2);
    put(writer, protected_bytes, 2);
    put(writer, parts->payload_bytes, 4);
    put(writer, parts->is_model ? NON_BOOTABLE : ROM_FIXED, 4);
    put(writer, parts->version, 4);
    put(writer, 0, 4);
    put(writer, 0, 4);
    while (writer->length < bytes) {
        put(writer, 0xFF, 1);
    }
}

static void put_payload(writer_t *writer, const signer_parts_t *parts)
{
    for (uint32_t i = 0; i < parts->payload_bytes; i++) {
        uint32_t mixed = (i + 1) * 2654435761u * (parts->version + 1u);
        put(writer, parts->payload != NULL ? parts->payload[i] : mixed >> 24, 1);
    }
}

/* Runs every plan of format 2 for portable kernels, up to 64 KiB of arena. */
static const uint8_t capability[IMAGE_CAPABILITY_BYTES] = {
    1,    2,    2,    1,    0,    0,    1,    0,    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0,    0,
};

uint32_t signer_image(const signer_parts_t *parts, uint8_t *image)
{
    writer_t writer = {image, 0};
    uint32_t board_bytes = parts->board != NULL ? (uint32_t)strlen(parts->board) : 0;
    bool is_capable = !parts->is_model && parts->board != NULL;
    uint32_t protected_bytes = 4 + 8 + (parts->board != NULL ? 4 + board_bytes : 0) +
                               (is_capable ? 4 + IMAGE_CAPABILITY_BYTES : 0);
    uint8_t counter[4];
    writer_t number = {counter, 0};
    put(&number, parts->counter, 4);
    put_header(&writer, parts, protected_bytes);
    put_payload(&writer, parts);
    put(&writer, 0x6908, 2);
    put(&writer, protected_bytes, 2);
    put_record(&writer, 0x50, counter, 4);
    if (parts->board != NULL) {
        put_record(&writer, IMAGE_TLV_BOARD, parts->board, board_bytes);
    }
    if (is_capable) {
        put_record(&writer, IMAGE_TLV_CAPABILITY, capability, sizeof capability);
    }
    const pair_t *pair = pair_of(parts->other_key);
    uint8_t hash[VERIFY_HASH_BYTES];
    uint8_t key[VERIFY_HASH_BYTES];
    uint8_t signature[VERIFY_SIGNATURE_BYTES];
    verify_hash(image, writer.length, hash);
    key_hash(pair, key);
    sign(pair, hash, signature);
    put(&writer, 0x6907, 2);
    put(&writer, 4 + 36 + 36 + 68, 2);
    put_record(&writer, 0x10, hash, sizeof hash);
    put_record(&writer, 0x01, key, sizeof key);
    put_record(&writer, 0x24, signature, sizeof signature);
    return writer.length;
}
