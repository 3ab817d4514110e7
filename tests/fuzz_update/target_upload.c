/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A client that sends files in any way, and an application that arms, confirms, rejects and
 * restarts in between, with power cuts and failing flash; at the end the device must take a good
 * image.
 *
 *     geometry | steps ...
 */
#include <string.h>

#include "installed.h"

#define STEPS 48

static uint32_t file_sent;    /* index of the file that the client sends */
static uint32_t erase_offset; /* how far upload_erase() has come */
static uint32_t erase_slot;

static void begin(script_t *script)
{
    uint32_t slot = script_below(script, UPDATE_SLOTS + 1);
    file_sent = script_below(script, FILES);
    const file_t *file = &files[file_sent];
    uint8_t wrong = script_byte(script);
    uint8_t sha[VERIFY_HASH_BYTES];
    memcpy(sha, file->sha, sizeof sha);
    sha[31] ^= wrong & 1;
    sha[0] ^= wrong >> 1 & 1;
    uint32_t length = file->length;
    if ((wrong & 4) != 0) {
        length = script_u32(script);
    }
    const uint8_t *header = (wrong & 8) != 0 ? NULL : file->bytes;
    fuzz_say("begin %s, %u bytes, in slot %u", file->name, length, slot);
    device_count(upload_begin(&device.update, &device.upload, slot, length, sha, header));
}

/* Bytes of the file from where it should go on, or from near there; they may be wrong. */
static void write(script_t *script)
{
    static uint8_t data[2 * SIGNER_MAX_BYTES];
    const file_t *file = &files[file_sent];
    uint8_t how = script_byte(script);
    uint32_t length = script_byte(script);
    length = (how & 1) != 0 ? 8 * length : length;
    uint32_t offset = device.upload.offset;
    if ((how & 2) != 0) {
        offset += script_byte(script) - 128u;
    }
    for (uint32_t i = 0; i < length; i++) {
        data[i] = offset + i < file->length ? file->bytes[offset + i] : 0xA5;
    }
    if ((how & 4) != 0 && length != 0) {
        data[script_byte(script) % length] ^= 0x10;
    }
    fuzz_say("write %u bytes at %u%s", length, offset, (how & 4) != 0 ? ", one wrong" : "");
    device_count(upload_write(&device.update, &device.upload, offset, data, length));
    fuzz_say("wanted next: %u", device.upload.offset);
}

static void finish(void)
{
    fuzz_say("finish");
    update_reason_t reason = upload_finish(&device.update, &device.upload, NULL, NULL);
    device_count(reason);
    if (reason == UPDATE_OK) {
        fuzz_count("uploads");
    }
}

static void erase(script_t *script)
{
    uint8_t how = script_byte(script);
    if ((how & 0x80) != 0) {
        erase_offset = 0;
        erase_slot = how % (UPDATE_SLOTS + 1);
    }
    fuzz_say("erase slot %u from %u on", erase_slot, erase_offset);
    device_count(upload_erase(&device.update, &device.upload, erase_slot, &erase_offset));
}

static void step(script_t *script)
{
    switch (script_below(script, 8)) {
    case 0:
        begin(script);
        break;
    case 1:
    case 2:
    case 3:
        write(script);
        break;
    case 4:
        finish();
        break;
    case 5:
        erase(script);
        break;
    default:
        device_step(script);
        break;
    }
}

const bool fuzz_offsets = false;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    script_t script = {bytes, size};
    uint8_t first = script_byte(&script);
    installed_start(first);
    device_boot(UPDATE_E_POWER);
    file_sent = 0;
    erase_offset = 0;
    erase_slot = 0;
    for (uint32_t i = 0; i < STEPS && script.left != 0; i++) {
        step(&script);
        device_judge();
        if (device.update.running[UPDATE_FIRMWARE] == UPDATE_NO_SLOT) {
            fuzz_fail("the device does not start");
        }
    }
    device_must_recover(first < 128 ? UPDATE_FIRMWARE : UPDATE_MODEL);
    return 0;
}
