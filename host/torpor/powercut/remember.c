/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See remember.h. Only hashes of the beginnings of the scenario's images are kept: the bytes to
 * compare with are there anyway.
 */
#include "remember.h"

#include <string.h>

#include "scenario.h"
#include "update/verify.h"

#define HASHES_MAX     (2 * SCENARIO_IMAGES_MAX) /* signed part, and whole file */
#define SIGNATURES_MAX SCENARIO_IMAGES_MAX

typedef struct {
    const uint8_t *bytes;
    uint32_t length;
    uint8_t hash[VERIFY_HASH_BYTES];
} known_hash_t;

typedef struct {
    uint8_t signature[VERIFY_SIGNATURE_BYTES];
    uint8_t key[UPDATE_KEY_BYTES];
    uint8_t hash[VERIFY_HASH_BYTES];
    bool good;
} known_signature_t;

bool remember_wanted = true;
static known_hash_t hashes[HASHES_MAX];
static uint32_t hash_count;
static known_signature_t signatures[SIGNATURES_MAX];
static uint32_t signature_count;

void __real_verify_hash(const void *bytes, uint32_t length, uint8_t hash[VERIFY_HASH_BYTES]);
void __wrap_verify_hash(const void *bytes, uint32_t length, uint8_t hash[VERIFY_HASH_BYTES]);
bool __real_verify_signature(const uint8_t signature[VERIFY_SIGNATURE_BYTES],
                             const uint8_t public_key[32], const void *bytes, uint32_t length);
bool __wrap_verify_signature(const uint8_t signature[VERIFY_SIGNATURE_BYTES],
                             const uint8_t public_key[32], const void *bytes, uint32_t length);

void remember_nothing(void)
{
    hash_count = 0;
    signature_count = 0;
}

static void keep_hash(const void *bytes, uint32_t length, const uint8_t *hash)
{
    for (uint32_t i = 0; i < scenario.image_count && hash_count < HASHES_MAX; i++) {
        const scenario_image_t *image = &scenario.images[i];
        if (length <= image->length && memcmp(image->bytes, bytes, length) == 0) {
            known_hash_t *known = &hashes[hash_count++];
            known->bytes = image->bytes;
            known->length = length;
            memcpy(known->hash, hash, sizeof known->hash);
            return;
        }
    }
}

void __wrap_verify_hash(const void *bytes, uint32_t length, uint8_t hash[VERIFY_HASH_BYTES])
{
    for (uint32_t i = 0; remember_wanted && i < hash_count; i++) {
        if (hashes[i].length == length && memcmp(hashes[i].bytes, bytes, length) == 0) {
            memcpy(hash, hashes[i].hash, VERIFY_HASH_BYTES);
            return;
        }
    }
    __real_verify_hash(bytes, length, hash);
    keep_hash(bytes, length, hash);
}

static const known_signature_t *find_signature(const uint8_t *signature, const uint8_t *key,
                                               const void *hash)
{
    for (uint32_t i = 0; i < signature_count; i++) {
        const known_signature_t *known = &signatures[i];
        if (memcmp(known->signature, signature, sizeof known->signature) == 0 &&
            memcmp(known->key, key, sizeof known->key) == 0 &&
            memcmp(known->hash, hash, sizeof known->hash) == 0) {
            return known;
        }
    }
    return NULL;
}

bool __wrap_verify_signature(const uint8_t signature[VERIFY_SIGNATURE_BYTES],
                             const uint8_t public_key[32], const void *bytes, uint32_t length)
{
    bool is_hash = remember_wanted && length == VERIFY_HASH_BYTES;
    const known_signature_t *found = is_hash ? find_signature(signature, public_key, bytes) : NULL;
    if (found != NULL) {
        return found->good;
    }
    bool good = __real_verify_signature(signature, public_key, bytes, length);
    if (is_hash && signature_count < SIGNATURES_MAX) {
        known_signature_t *known = &signatures[signature_count++];
        memcpy(known->signature, signature, sizeof known->signature);
        memcpy(known->key, public_key, sizeof known->key);
        memcpy(known->hash, bytes, sizeof known->hash);
        known->good = good;
    }
    return good;
}
