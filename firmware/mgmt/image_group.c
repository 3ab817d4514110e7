/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Group 1, images: state, upload, erase.
 */
#include <string.h>
#include <zcbor_encode.h>

#include "core/text.h"
#include "mgmt/command.h"

#define IMAGE_MEMBERS 8

/* The group's numbers, as MCUmgr has them. */
enum {
    UNKNOWN = 1,
    NO_IMAGE = 3,
    INVALID_TLV = 5,
    HASH_NOT_FOUND = 8,
    NO_FREE_SLOT = 9,
    FLASH_WRITE_FAILED = 12,
    INVALID_SLOT = 14,
    INVALID_OFFSET = 20,
    INVALID_IMAGE_HEADER = 22,
    INVALID_IMAGE_HEADER_MAGIC = 23,
    INVALID_HASH = 24,
    INVALID_FLASH_ADDRESS = 25,
    CURRENT_VERSION_IS_NEWER = 27,
    INVALID_IMAGE_TOO_LARGE = 30,
    IMAGE_CONFIRMATION_DENIED = 32,
};

static uint16_t smp_image_error(update_reason_t reason)
{
    switch (reason) {
    case UPDATE_E_EMPTY:
        return INVALID_IMAGE_HEADER_MAGIC;
    case UPDATE_E_FORMAT:
    case UPDATE_E_BOARD:
    case UPDATE_E_UNFIT:
    case UPDATE_E_PLAN:
        return INVALID_IMAGE_HEADER;
    case UPDATE_E_SIZE:
        return INVALID_IMAGE_TOO_LARGE;
    case UPDATE_E_HASH:
        return INVALID_HASH;
    case UPDATE_E_SIGNATURE:
    case UPDATE_E_KEY:
        return INVALID_TLV;
    case UPDATE_E_LINK:
        return INVALID_FLASH_ADDRESS;
    case UPDATE_E_COUNTER:
        return CURRENT_VERSION_IS_NEWER;
    case UPDATE_E_KIND:
        return INVALID_SLOT;
    case UPDATE_E_REPLACED:
        return HASH_NOT_FOUND;
    case UPDATE_E_BUSY:
        return NO_FREE_SLOT;
    case UPDATE_E_FLASH:
        return FLASH_WRITE_FAILED;
    case UPDATE_E_ORDER:
        return INVALID_OFFSET;
    case UPDATE_E_NOTHING:
        return IMAGE_CONFIRMATION_DENIED;
    default:
        return UNKNOWN;
    }
}

static smp_result_t refuse(smp_t *smp, update_reason_t reason)
{
    smp->refused = reason;
    return SMP_REFUSED(reason);
}

/* The firmware slot that is not running. */
static uint32_t other_slot(const smp_t *smp)
{
    return smp->update->running[UPDATE_FIRMWARE] == 0 ? 1 : 0;
}

/* ---- state */

/* "1.2.3", or "1.2.3.4" with a build number. */
static void write_version(text_t *text, const image_version_t *version)
{
    text_uint(text, version->major);
    text_string(text, ".");
    text_uint(text, version->minor);
    text_string(text, ".");
    text_uint(text, version->revision);
    if (version->build != 0) {
        text_string(text, ".");
        text_uint(text, version->build);
    }
}

static bool put_flags(zcbor_state_t *reply, const update_t *update, uint32_t slot,
                      const image_t *image)
{
    update_component_t component = update_component_of(slot);
    const update_state_t *state = &update->state[component];
    bool active = update->running[component] == slot;
    return cbor_put_bool(reply, "bootable", image->is_model == (component == UPDATE_MODEL)) &&
           cbor_put_bool(reply, "pending", state->trial == slot && !active) &&
           cbor_put_bool(reply, "confirmed", state->confirmed == slot) &&
           cbor_put_bool(reply, "active", active);
}

/* The slot's entry in the list, if there is an image in it. */
static bool put_slot(zcbor_state_t *reply, const update_t *update, uint32_t slot)
{
    image_t image;
    text_t version = {0};
    if (image_parse(update->layout, slot, &image) != UPDATE_OK) {
        return true;
    }
    write_version(&version, &image.version);
    return zcbor_map_start_encode(reply, IMAGE_MEMBERS) &&
           cbor_put_uint(reply, "image", slot < UPDATE_FIRMWARE_SLOTS ? 0 : slot) &&
           cbor_put_uint(reply, "slot", slot) &&
           cbor_put_text(reply, "version", version.bytes, version.length) &&
           cbor_put_bytes(reply, "hash", image.hash, VERIFY_HASH_BYTES) &&
           put_flags(reply, update, slot, &image) && zcbor_map_end_encode(reply, IMAGE_MEMBERS);
}

static smp_result_t smp_image_read(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    (void)fields;
    bool good = cbor_put_name(reply, "images") && zcbor_list_start_encode(reply, UPDATE_SLOTS);
    for (uint32_t slot = 0; good && slot < UPDATE_SLOTS; slot++) {
        good = put_slot(reply, smp->update, slot);
    }
    return smp_replied(good && zcbor_list_end_encode(reply, UPDATE_SLOTS));
}

static bool holds(const update_t *update, uint32_t slot, const cbor_field_t *hash)
{
    image_t image;
    return hash->length == VERIFY_HASH_BYTES &&
           image_parse(update->layout, slot, &image) == UPDATE_OK &&
           memcmp(image.hash, hash->bytes, VERIFY_HASH_BYTES) == 0;
}

static bool is_running(const update_t *update, uint32_t slot)
{
    return update->running[update_component_of(slot)] == slot;
}

/* The slot with that image, or UPDATE_NO_SLOT. A model may be in several: then the one that runs
 * is meant. */
static uint32_t find_slot(const update_t *update, const cbor_field_t *hash)
{
    uint32_t found = UPDATE_NO_SLOT;
    for (uint32_t slot = 0; slot < UPDATE_SLOTS; slot++) {
        if (holds(update, slot, hash) && (found == UPDATE_NO_SLOT || is_running(update, slot))) {
            found = slot;
        }
    }
    return found;
}

static update_reason_t arm(smp_t *smp, uint32_t slot)
{
    update_reason_t reason = update_arm(smp->update, slot, smp->accept, smp->context);
    if (reason == UPDATE_OK && update_component_of(slot) == UPDATE_MODEL) {
        smp->model_turns = smp->update->state[UPDATE_MODEL].trial == slot;
    }
    return reason;
}

enum { WRITE_HASH, WRITE_CONFIRM };

static const cbor_field_t write_fields[] = {
    [WRITE_HASH] = {.name = "hash", .kind = CBOR_BYTES},
    [WRITE_CONFIRM] = {.name = "confirm", .kind = CBOR_BOOL},
};

static update_reason_t change_state(smp_t *smp, const cbor_field_t *hash, bool confirm)
{
    if (!hash->present) {
        return update_confirm(smp->update, UPDATE_FIRMWARE);
    }
    uint32_t slot = find_slot(smp->update, hash);
    if (slot == UPDATE_NO_SLOT) {
        return UPDATE_E_REPLACED;
    }
    if (confirm && is_running(smp->update, slot)) {
        return update_confirm(smp->update, update_component_of(slot));
    }
    return arm(smp, slot);
}

static smp_result_t smp_image_write(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    bool confirm = fields[WRITE_CONFIRM].number != 0;
    if (!fields[WRITE_HASH].present && !confirm) {
        return SMP_E_INVALID;
    }
    update_reason_t reason = change_state(smp, &fields[WRITE_HASH], confirm);
    return reason == UPDATE_OK ? smp_image_read(smp, fields, reply) : refuse(smp, reason);
}

/* ---- upload */

enum { UPLOAD_OFF, UPLOAD_DATA, UPLOAD_LEN, UPLOAD_SHA, UPLOAD_IMAGE };

static const cbor_field_t upload_fields[] = {
    [UPLOAD_OFF] = {.name = "off", .kind = CBOR_UINT},
    [UPLOAD_DATA] = {.name = "data", .kind = CBOR_BYTES},
    [UPLOAD_LEN] = {.name = "len", .kind = CBOR_UINT},
    [UPLOAD_SHA] = {.name = "sha", .kind = CBOR_BYTES},
    [UPLOAD_IMAGE] = {.name = "image", .kind = CBOR_UINT},
};

/* SHA-256 of the file. Clients leave it out when they are asked for the beginning again, while the
 * slot is still being erased: then it is that of the upload which has begun. NULL: not known. */
static const uint8_t *sha_of(const upload_t *upload, uint32_t slot, const cbor_field_t *fields)
{
    const cbor_field_t *sha = &fields[UPLOAD_SHA];
    if (sha->present) {
        return sha->length == VERIFY_HASH_BYTES ? sha->bytes : NULL;
    }
    bool same = upload->open && upload->slot == slot && upload->length == fields[UPLOAD_LEN].number;
    return same ? upload->sha : NULL;
}

static smp_result_t begin(smp_t *smp, const cbor_field_t *fields)
{
    const cbor_field_t *data = &fields[UPLOAD_DATA];
    uint32_t image = fields[UPLOAD_IMAGE].number;
    uint32_t slot = image < UPDATE_FIRMWARE_SLOTS ? other_slot(smp) : image;
    const uint8_t *sha = sha_of(&smp->upload, slot, fields);
    if (!fields[UPLOAD_LEN].present || sha == NULL || slot >= UPDATE_SLOTS) {
        return SMP_E_INVALID;
    }
    uint8_t kept[VERIFY_HASH_BYTES];
    memcpy(kept, sha, sizeof kept);
    smp->ended.length = 0;
    smp->erased.offset = 0;
    const uint8_t *header = data->length >= IMAGE_HEADER_BYTES ? data->bytes : NULL;
    update_reason_t reason =
        upload_begin(smp->update, &smp->upload, slot, fields[UPLOAD_LEN].number, kept, header);
    return reason == UPDATE_OK ? SMP_OK : refuse(smp, reason);
}

/* True if these are the last bytes of the upload that is over: its answer was lost. */
static bool is_repeated(const smp_t *smp, uint32_t offset, uint32_t length)
{
    return !smp->upload.open && smp->ended.length != 0 && length <= smp->ended.length &&
           offset == smp->ended.length - length;
}

/* Takes bytes, and judges the file if they were the last. */
static update_reason_t take(smp_t *smp, uint32_t offset, const cbor_field_t *data)
{
    upload_t *upload = &smp->upload;
    if (is_repeated(smp, offset, data->length)) {
        return smp->ended.reason;
    }
    update_reason_t reason = upload_write(smp->update, upload, offset, data->bytes, data->length);
    if (reason == UPDATE_E_ORDER && upload->open) {
        return UPDATE_OK; /* its slot is still being erased: byte 0 is wanted again */
    }
    if (reason == UPDATE_OK && upload_is_complete(upload)) {
        smp->ended.length = upload->length;
        reason = upload_finish(smp->update, upload, smp->accept, smp->context);
        smp->ended.reason = reason;
    }
    return reason;
}

static smp_result_t smp_image_upload(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    uint32_t offset = fields[UPLOAD_OFF].number;
    if (!fields[UPLOAD_OFF].present || !fields[UPLOAD_DATA].present) {
        return SMP_E_INVALID;
    }
    smp_result_t result = offset == 0 ? begin(smp, fields) : SMP_OK;
    if (result != SMP_OK) {
        return result;
    }
    update_reason_t reason = take(smp, offset, &fields[UPLOAD_DATA]);
    if (reason != UPDATE_OK) {
        return refuse(smp, reason);
    }
    if (smp->upload.open) {
        return smp_replied(cbor_put_uint(reply, "off", smp->upload.offset));
    }
    return smp_replied(cbor_put_uint(reply, "off", smp->ended.length) &&
                       cbor_put_bool(reply, "match", true));
}

/* ---- erase */

static const cbor_field_t erase_fields[] = {{.name = "slot", .kind = CBOR_UINT}};

/* As much as a second allows, the header first; what is left is erased when this comes again, or by
 * the next upload. */
static smp_result_t smp_image_erase(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    (void)reply;
    uint32_t slot = fields[0].present ? fields[0].number : other_slot(smp);
    if (slot >= UPDATE_SLOTS) {
        return SMP_E_INVALID;
    }
    smp_erased_t *erased = &smp->erased;
    if (erased->slot != slot || erased->offset == smp->update->layout->slots[slot].size) {
        *erased = (smp_erased_t){.slot = (uint8_t)slot};
    }
    smp->ended.length = 0;
    update_reason_t reason = upload_erase(smp->update, &smp->upload, slot, &erased->offset);
    return reason == UPDATE_OK ? SMP_OK : refuse(smp, reason);
}

static const smp_command_t commands[] = {
    {.operation = SMP_READ, .id = 0, .run = smp_image_read},
    {.operation = SMP_WRITE,
     .id = 0,
     .fields = write_fields,
     .field_count = sizeof write_fields / sizeof write_fields[0],
     .run = smp_image_write},
    {.operation = SMP_WRITE,
     .id = 1,
     .fields = upload_fields,
     .field_count = sizeof upload_fields / sizeof upload_fields[0],
     .run = smp_image_upload},
    {.operation = SMP_WRITE,
     .id = 5,
     .fields = erase_fields,
     .field_count = sizeof erase_fields / sizeof erase_fields[0],
     .run = smp_image_erase},
};

const smp_group_t smp_image_group = {
    .id = 1,
    .error = smp_image_error,
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};
