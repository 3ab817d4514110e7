/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See files.h. The linker puts __wrap_verify_signature() before verify.c (--wrap), which would take
 * most of the time: what is signed here is known.
 */
#include "files.h"

#include <string.h>

#include "fuzz.h"
#include "infer/plan.h"

#define IN_A   1
#define IN_B   2
#define MODELS 28

/* The end of an image: records of hash, key and signature. */
#define HASH_BACK  (32 + 36 + 4 + VERIFY_SIGNATURE_BYTES)
#define FOOT_BYTES (4 + 4 + HASH_BACK)

/* Numbers 0 to 3, 8 and 9 are spoken of elsewhere. The link address of a model is 0, its payload a
 * plan. */
static const struct {
    const char *name;
    const char *board;
    uint32_t link;
    uint32_t counter;
    uint32_t payload_bytes;
    uint8_t version;
    uint32_t tail;
    uint8_t may_run;
    enum { SOUND, DAMAGED, OTHER_KEY } state;
} specs[FILES] = {
    {"A 1", FILES_BOARD, FILES_LINK_A, 1, 100, 1, 0, IN_A, SOUND},
    {"B 1", FILES_BOARD, FILES_LINK_B, 1, 100, 2, 0, IN_B, SOUND},
    {"A 2", FILES_BOARD, FILES_LINK_A, 2, 700, 3, 0, IN_A, SOUND},
    {"B 2", FILES_BOARD, FILES_LINK_B, 2, 701, 4, 0, IN_B, SOUND},
    {"A 0", FILES_BOARD, FILES_LINK_A, 0, 61, 5, 0, IN_A, SOUND},
    {"B 0", FILES_BOARD, FILES_LINK_B, 0, 60, 5, 0, IN_B, SOUND},
    {"B long", FILES_BOARD, FILES_LINK_B, 1, 1500, 6, 0, IN_B, SOUND},
    {"B 2, more behind", FILES_BOARD, FILES_LINK_B, 2, 300, 7, 700, IN_B, SOUND},
    {"model 1", NULL, 0, 0, 0, 1, 0, MODELS, SOUND},
    {"model 2", NULL, 0, 1, 0, 2, 0, MODELS, SOUND},
    {"model 2, more behind", NULL, 0, 1, 0, 3, 400, MODELS, SOUND},
    {"model of this board", FILES_BOARD, 0, 0, 0, 4, 0, MODELS, SOUND},
    {"model that does not fit", NULL, 0, 3, 0, FILES_UNFIT, 0, 0, SOUND},
    {"model with a wrong plan", NULL, 0, 3, 0, FILES_UNFIT + 1, 0, 0, SOUND},
    {"model of another board", "top", 0, 3, 0, 5, 0, 0, SOUND},
    {"model, damaged", NULL, 0, 1, 0, 6, 0, 0, DAMAGED},
    {"B of another board", "toy2", FILES_LINK_B, 3, 40, 7, 0, 0, SOUND},
    {"B by another key", FILES_BOARD, FILES_LINK_B, 3, 40, 7, 0, 0, OTHER_KEY},
    {"B, damaged", FILES_BOARD, FILES_LINK_B, 3, 900, 7, 0, 0, DAMAGED},
    {"B without a board", NULL, FILES_LINK_B, 3, 900, 7, 0, 0, SOUND},
    {"linked for elsewhere", FILES_BOARD, 0x3000, 3, 64, 7, 0, 0, SOUND},
    {"B, too long", FILES_BOARD, FILES_LINK_B, 3, 3830, 7, 0, 0, SOUND},
};

file_t files[FILES];

bool __wrap_verify_signature(const uint8_t *signature, const uint8_t *public_key, const void *bytes,
                             uint32_t length);
bool __real_verify_signature(const uint8_t *signature, const uint8_t *public_key, const void *bytes,
                             uint32_t length);

const uint8_t *files_hash(const file_t *file)
{
    return file->bytes + file->image_bytes - HASH_BACK;
}

static const uint8_t *signature_of(const file_t *file)
{
    return file->bytes + file->image_bytes - VERIFY_SIGNATURE_BYTES;
}

bool __wrap_verify_signature(const uint8_t *signature, const uint8_t *public_key, const void *bytes,
                             uint32_t length)
{
    for (uint32_t i = 0; i < FILES; i++) {
        if (specs[i].state != OTHER_KEY &&
            memcmp(signature_of(&files[i]), signature, VERIFY_SIGNATURE_BYTES) == 0 &&
            memcmp(files_hash(&files[i]), bytes, length) == 0) {
            return true;
        }
    }
    return __real_verify_signature(signature, public_key, bytes, length);
}

uint32_t files_plan(uint8_t *plan, uint16_t version, char name)
{
    plan_header_t header = {
        .magic = PLAN_MAGIC,
        .version = version,
        .arena_bytes = 16,
        .arena_align = 16,
        .n_tensors = 1,
        .n_inputs = 1,
        .n_outputs = 1,
        .tensors = sizeof header,
        .labels = PLAN_NO_STRING,
        .strings_bytes = 2,
    };
    plan_tensor_t tensor = {.bytes = 16, .last = 1};
    plan_io_t io = {.type = PLAN_TYPE_INT8, .rank = 1, .dims = {16, 1, 1, 1, 1}, .scale = 0.5F};
    io.name = PLAN_NO_STRING;
    header.io = header.tensors + sizeof tensor;
    header.states = header.io + 2 * sizeof io;
    header.ops = header.states;
    header.strings = header.states;
    header.extra = (header.strings + header.strings_bytes + 3) / 4 * 4;
    header.data = (header.extra + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
    header.length = header.data;
    memset(plan, 0, header.length);
    memcpy(plan, &header, sizeof header);
    memcpy(plan + header.tensors, &tensor, sizeof tensor);
    memcpy(plan + header.io, &io, sizeof io);
    memcpy(plan + header.io + sizeof io, &io, sizeof io);
    plan[header.strings] = (uint8_t)name;
    return header.length;
}

static void make(uint32_t number)
{
    uint8_t plan[PLAN_ALIGN * 16];
    file_t *file = &files[number];
    uint8_t version = specs[number].version;
    signer_parts_t parts = {
        .board = specs[number].board,
        .address = specs[number].link,
        .is_model = specs[number].link == 0,
        .counter = specs[number].counter,
        .payload_bytes = specs[number].payload_bytes,
        .version = version,
        .other_key = specs[number].state == OTHER_KEY,
    };
    if (parts.is_model) {
        parts.payload = plan;
        bool unknown = version == FILES_UNFIT;
        parts.payload_bytes =
            files_plan(plan, unknown ? PLAN_VERSION + 1 : PLAN_VERSION, (char)('a' + version));
        plan[0] ^= version > FILES_UNFIT;
    }
    file->name = specs[number].name;
    file->may_run = specs[number].may_run;
    file->counter = specs[number].counter;
    file->image_bytes = signer_image(&parts, file->bytes);
    file->length = file->image_bytes + specs[number].tail;
    memset(file->bytes + file->image_bytes, 0x5A, specs[number].tail);
    if (specs[number].state == DAMAGED) {
        file->bytes[file->image_bytes - FOOT_BYTES - 64] ^= 1; /* the end of the payload */
    }
    verify_hash(file->bytes, file->length, file->sha);
}

/* The signer is right, and verify.c finds out who signed. */
static void judge(const file_t *file, bool other_key)
{
    update_key_t key;
    signer_key(&key);
    if (__real_verify_signature(signature_of(file), key.public_key, files_hash(file),
                                VERIFY_HASH_BYTES) == other_key) {
        fuzz_fail("the files are not signed as they should be");
    }
}

void files_make(void)
{
    if (files[0].length != 0) {
        return;
    }
    for (uint32_t i = 0; i < FILES; i++) {
        make(i);
        judge(&files[i], specs[i].state == OTHER_KEY);
    }
}
