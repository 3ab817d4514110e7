/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Bytes from anybody to the SMP decoder and server of a device on simulated flash, for fuzzers: the
 * device is new for each input. They return 0, or abort if the flash was used against its rules.
 */
#include <stdlib.h>
#include <string.h>

#include "flash.h"
#include "mgmt/models.h"
#include "mgmt/smp.h"
#include "wire/smp_frame.h"

#define ERASE_BYTES 512u
#define SLOT_BYTES  4096u
#define FLASH_BYTES (2 * ERASE_BYTES + UPDATE_SLOTS * SLOT_BYTES)
#define ARENA_BYTES 256u

int smp_fuzz_stream(const uint8_t *data, size_t size);
int smp_fuzz_messages(const uint8_t *data, size_t size);

static _Alignas(64) uint8_t flash[FLASH_BYTES];
static _Alignas(16) uint8_t arena[ARENA_BYTES];
static _Alignas(16) const uint8_t no_plan[16];
static uint8_t message[SMP_MESSAGE_BYTES];
static update_layout_t layout;
static update_key_t key;
static update_t update;
static models_t models;
static smp_t smp;

static void begin(void)
{
    memset(flash, 0xFF, sizeof flash);
    flash_sim = (flash_sim_t){
        .bytes = flash, .size = FLASH_BYTES, .erase_size = ERASE_BYTES, .write_size = 4};
    layout = (update_layout_t){.board = "fuzz",
                               .erase_size = ERASE_BYTES,
                               .journal_block = ERASE_BYTES,
                               .write_size = 4,
                               .erase_step = 4,
                               .journal = {0, 2 * ERASE_BYTES}};
    for (uint32_t i = 0; i < UPDATE_SLOTS; i++) {
        layout.slots[i] = (update_region_t){2 * ERASE_BYTES + i * SLOT_BYTES, SLOT_BYTES};
    }
    update_open(&update, &layout, &key);
    update.running[UPDATE_FIRMWARE] = 0;
    models = (models_t){.update = &update,
                        .factory = {no_plan, sizeof no_plan},
                        .arena = arena,
                        .arena_bytes = ARENA_BYTES};
    smp = (smp_t){.update = &update, .accept = models_accept, .context = &models};
}

static void handle(uint32_t length)
{
    infer_t model;
    models_plan_t plan;
    if (smp_handle(&smp, message, length) > SMP_MESSAGE_BYTES) {
        abort();
    }
    if (smp.model_turns) {
        smp.model_turns = false;
        (void)models_open(&models, (update_end_t){0}, &model, &plan);
    }
    if (flash_sim.violations != 0) {
        abort();
    }
}

/* `data` as it comes over the wire. */
int smp_fuzz_stream(const uint8_t *data, size_t size)
{
    smp_frame_decoder_t decoder = {.buffer = message, .size = sizeof message};
    begin();
    for (size_t i = 0; i < size; i++) {
        if (smp_frame_decode(&decoder, data[i]) == FRAME_TAKEN) {
            handle(decoder.length);
        }
    }
    return 0;
}

/* `data` as messages behind each other, each after its length in two bytes, so that no fuzzer has
 * to find CRCs. */
int smp_fuzz_messages(const uint8_t *data, size_t size)
{
    begin();
    size_t at = 0;
    while (size - at >= 2) {
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        at += 2;
        length = length < size - at ? length : size - at;
        length = length < sizeof message ? length : sizeof message;
        memcpy(message, data + at, length);
        at += length;
        handle((uint32_t)length);
    }
    return 0;
}
