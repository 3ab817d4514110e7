/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Any bytes in a slot: read and verified. All other flash, and the trailer, is poisoned.
 *
 *     slot, bit 7: hash and signature are made right | security counter | bytes of the slot ...
 *
 * What is accepted must be the very bytes that the owner of the key has signed: its signatures are
 * deterministic, so there is one that may be accepted for what is in the slot.
 */
#include <sanitizer/asan_interface.h>
#include <string.h>

#include "flash.h"
#include "fuzz.h"
#include "signer.h"

#define SLOT_BYTES  2048u
#define FLASH_BYTES (UPDATE_SLOTS * SLOT_BYTES)
#define FIX         0x80u

static uint8_t flash[FLASH_BYTES];
static update_key_t key;
static update_layout_t layout = {
    .board = "toy",
    .erase_size = 512,
    .journal_block = 512,
    .write_size = 4,
    .erase_step = 1,
    .slots = {{0, SLOT_BYTES},
              {SLOT_BYTES, SLOT_BYTES},
              {2 * SLOT_BYTES, SLOT_BYTES},
              {3 * SLOT_BYTES, SLOT_BYTES},
              {4 * SLOT_BYTES, SLOT_BYTES}},
    .link = {0x1000, 0x2000},
};

static const char *name_of(update_reason_t reason)
{
    static const char *const names[] = {
        "ok",  "empty", "format", "size",    "hash", "signature",
        "key", "link",  "board",  "counter", "kind",
    };
    if ((uint32_t)reason >= sizeof names / sizeof *names) {
        fuzz_fail("a reason that the parser does not give");
    }
    return names[reason];
}

static void must_be_inside(const uint8_t *part, uint32_t bytes, const uint8_t *begin,
                           const uint8_t *end)
{
    if (part < begin || part > end || (size_t)(end - part) < bytes) {
        fuzz_fail("a part of an accepted image lies outside of it");
    }
}

/* Everything lies where it should, in the slot. */
static void judge_image(const image_t *image, const uint8_t *start)
{
    const uint8_t *end = start + image->total_bytes;
    const uint8_t *signed_end = start + image->signed_bytes;
    must_be_inside(start, image->total_bytes, start, start + SLOT_BYTES - IMAGE_TRAILER_BYTES);
    must_be_inside(start, image->signed_bytes, start, end);
    must_be_inside(image->payload, image->payload_bytes, start + IMAGE_HEADER_BYTES, signed_end);
    must_be_inside(image->hash, VERIFY_HASH_BYTES, signed_end, end);
    must_be_inside(image->key_hash, VERIFY_HASH_BYTES, signed_end, end);
    must_be_inside(image->signature, VERIFY_SIGNATURE_BYTES, signed_end, end);
    const uint8_t *payload_end = image->payload + image->payload_bytes;
    if (image->board != NULL) {
        must_be_inside(image->board, image->board_bytes, payload_end, signed_end);
    }
    if (image->capability != NULL) {
        must_be_inside(image->capability, IMAGE_CAPABILITY_BYTES, payload_end, signed_end);
    }
    image_capability_t capability;
    if (image_capability(image, &capability) !=
        (image->capability != NULL && image->capability[0] == 1)) {
        fuzz_fail("a capability of another format is read");
    }
}

/* Makes an image with sound structure genuine. */
static void fix(uint8_t *start, const image_t *image)
{
    uint8_t hash[VERIFY_HASH_BYTES];
    uint8_t signature[VERIFY_SIGNATURE_BYTES];
    verify_hash(start, image->signed_bytes, hash);
    signer_sign(hash, signature);
    memcpy(start + (image->hash - start), hash, sizeof hash);
    memcpy(start + (image->key_hash - start), key.hash, sizeof key.hash);
    memcpy(start + (image->signature - start), signature, sizeof signature);
}

static void judge_accepted(const image_t *image, const uint8_t *start, uint32_t slot,
                           uint32_t counter)
{
    uint8_t hash[VERIFY_HASH_BYTES];
    uint8_t signature[VERIFY_SIGNATURE_BYTES];
    verify_hash(start, image->signed_bytes, hash);
    signer_sign(hash, signature);
    if (memcmp(image->hash, hash, sizeof hash) != 0 ||
        memcmp(image->signature, signature, sizeof signature) != 0 ||
        memcmp(image->key_hash, key.hash, sizeof key.hash) != 0) {
        fuzz_fail("an image is accepted that was not signed");
    }
    bool is_model_slot = slot >= UPDATE_FIRMWARE_SLOTS;
    if (image->is_model != is_model_slot || image->counter < counter ||
        (!is_model_slot && image->address != layout.link[slot]) ||
        (!is_model_slot && image->board == NULL) ||
        (image->board != NULL &&
         (image->board_bytes != 3 || memcmp(image->board, layout.board, 3) != 0))) {
        fuzz_fail("an image is accepted that is not for this slot");
    }
}

static update_reason_t look(uint32_t slot, uint32_t counter, bool fixed)
{
    uint8_t *start = flash + layout.slots[slot].offset;
    image_t image;
    update_reason_t reason = image_parse(&layout, slot, &image);
    fuzz_say("parsed: %s", name_of(reason));
    if (reason != UPDATE_OK) {
        return reason;
    }
    judge_image(&image, start);
    if (fixed) {
        fix(start, &image);
    }
    reason = image_verify(&layout, &key, slot, counter, &image);
    if (reason == UPDATE_OK) {
        judge_accepted(&image, start, slot, counter);
    }
    if (fixed && (reason == UPDATE_E_HASH || reason == UPDATE_E_SIGNATURE)) {
        fuzz_fail("a genuine image is refused");
    }
    return reason;
}

/* What is said of the header alone must not be better than what is said of the whole. */
static void judge_header(uint32_t slot, update_reason_t reason)
{
    update_reason_t early = image_check_header(&layout, slot, flash + layout.slots[slot].offset);
    if (reason == UPDATE_OK && early != UPDATE_OK) {
        fuzz_fail("the header of a good image is refused");
    }
}

const bool fuzz_offsets = false;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    script_t script = {bytes, size};
    if (flash_sim.bytes == NULL) {
        flash_sim =
            (flash_sim_t){.bytes = flash, .size = FLASH_BYTES, .erase_size = 512, .write_size = 4};
        signer_key(&key);
    }
    uint8_t first = script_byte(&script);
    uint32_t slot = (first & 0x7Fu) % UPDATE_SLOTS;
    uint32_t counter = script_byte(&script);
    uint8_t *start = flash + layout.slots[slot].offset;
    ASAN_UNPOISON_MEMORY_REGION(flash, FLASH_BYTES);
    memset(start, 0xFF, SLOT_BYTES);
    memcpy(start, script.bytes, script.left < SLOT_BYTES ? script.left : SLOT_BYTES);
    ASAN_POISON_MEMORY_REGION(flash, FLASH_BYTES);
    ASAN_UNPOISON_MEMORY_REGION(start, SLOT_BYTES - IMAGE_TRAILER_BYTES);
    update_reason_t reason = look(slot, counter, (first & FIX) != 0);
    judge_header(slot, reason);
    fuzz_count(name_of(reason));
    return 0;
}
