/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See device.h. The linker puts __wrap_flash_erase() and __wrap_flash_program() between the update
 * library and the simulator (--wrap).
 */
#include "device.h"

#include <string.h>

#include "flash.h"
#include "hal/flash.h"

#define FIRMWARE_SIZE 2048u
#define MODEL_SIZE    1024u
#define STEPS_MAX     4000 /* of a client that behaves */
#define PIECE         97u  /* bytes that it sends at once */

device_t device;

static const struct {
    uint32_t erase;
    uint32_t write;
    uint32_t journal_blocks;
    uint32_t erase_step;
} geometries[DEVICE_GEOMETRIES] = {
    {512, 4, 2, 2}, {512, 32, 3, 1}, {1024, 1, 2, 1}, {512, 8, 4, 9}, {4096, 16, 2, 1},
};

static uint8_t flash[DEVICE_FLASH_BYTES];

bool __wrap_flash_erase(uint32_t offset);
bool __wrap_flash_program(uint32_t offset, const void *data, uint32_t length);
bool __real_flash_erase(uint32_t offset);
bool __real_flash_program(uint32_t offset, const void *data, uint32_t length);

/* ---- the flash, watched */

/* Slot that an offset lies in, or UPDATE_NO_SLOT. */
static uint32_t slot_at(uint32_t offset)
{
    for (uint32_t slot = 0; slot < UPDATE_SLOTS; slot++) {
        const update_region_t *region = &device.layout.slots[slot];
        if (offset - region->offset < region->size) {
            return slot;
        }
    }
    return UPDATE_NO_SLOT;
}

static void judge_write(uint32_t offset, uint32_t length)
{
    if (flash_sim.dead) {
        return;
    }
    uint32_t slot = slot_at(offset);
    if (slot == UPDATE_NO_SLOT) {
        if (offset + length > device.layout.journal.offset + device.layout.journal.size) {
            fuzz_fail("something is written that is neither journal nor slot");
        }
    } else if (slot_at(offset + length - 1) != slot) {
        fuzz_fail("a write goes across the end of a slot");
    } else if (update_is_protected(&device.update, slot)) {
        fuzz_fail("a slot that is running, confirmed or on trial is written");
    }
}

/* Counts an operation; true if it is the one that fails. */
static bool fails_now(void)
{
    if (device.fail_in == 0 || flash_sim.dead || --device.fail_in != 0) {
        return false;
    }
    device.failed = true;
    fuzz_say("the flash fails");
    return true;
}

bool __wrap_flash_erase(uint32_t offset)
{
    judge_write(offset, device.layout.erase_size);
    device.writes++;
    if (fails_now()) {
        memset(flash + offset, 0xFF, device.layout.erase_size / 2);
        return false;
    }
    return __real_flash_erase(offset);
}

/* The last unit of a file may reach into the trailer, which must stay as if erased. */
static void judge_trailer(uint32_t offset, const uint8_t *data, uint32_t length)
{
    uint32_t slot = slot_at(offset);
    if (slot == UPDATE_NO_SLOT) {
        return;
    }
    const update_region_t *region = &device.layout.slots[slot];
    for (uint32_t i = 0; i < length; i++) {
        bool in_trailer = offset + i >= region->offset + region->size - IMAGE_TRAILER_BYTES;
        if (in_trailer && data[i] != 0xFF) {
            fuzz_fail("the trailer of a slot is programmed");
        }
    }
}

bool __wrap_flash_program(uint32_t offset, const void *data, uint32_t length)
{
    judge_write(offset, length);
    judge_trailer(offset, data, length);
    device.writes++;
    uint32_t unit = device.layout.write_size;
    for (uint32_t i = 0; i < length; i += unit) {
        if (fails_now()) {
            flash[offset + i] &= *((const uint8_t *)data + i);
            return false;
        }
        if (!__real_flash_program(offset + i, (const uint8_t *)data + i, unit)) {
            return false;
        }
    }
    return true;
}

update_reason_t device_accept(const image_t *image, void *context)
{
    (void)context;
    return image->version.major >= FILES_UNFIT ? UPDATE_E_UNFIT : UPDATE_OK;
}

/* The file that a slot holds, or FILES_NONE: compared byte by byte. */
static uint32_t file_in(uint32_t slot)
{
    const update_region_t *region = &device.layout.slots[slot];
    for (uint32_t i = 0; i < FILES; i++) {
        uint32_t image = files[i].image_bytes;
        if (image <= region->size - IMAGE_TRAILER_BYTES &&
            memcmp(flash + region->offset, files[i].bytes, image) == 0) {
            return i;
        }
    }
    return FILES_NONE;
}

static bool may_run(uint32_t slot)
{
    uint32_t file = file_in(slot);
    uint32_t counter = device.update.state[update_component_of(slot)].counter;
    return file != FILES_NONE && (files[file].may_run & 1u << slot) != 0 &&
           files[file].counter >= counter;
}

/* ---- the device */

static uint32_t round_up(uint32_t size, uint32_t block)
{
    return (size + block - 1) / block * block;
}

static void choose_model(update_reason_t why)
{
    device_choose(UPDATE_MODEL, why);
}

void device_start(uint32_t geometry)
{
    geometry %= DEVICE_GEOMETRIES;
    uint32_t erase = geometries[geometry].erase;
    device = (device_t){
        .accept = device_accept,
        .open_model = choose_model,
        .layout = {.board = FILES_BOARD, .erase_size = erase, .journal_block = erase},
    };
    signer_key(&device.key);
    files_make();
    update_layout_t *layout = &device.layout;
    layout->write_size = geometries[geometry].write;
    layout->erase_step = geometries[geometry].erase_step;
    layout->journal = (update_region_t){0, geometries[geometry].journal_blocks * erase};
    layout->link[0] = FILES_LINK_A;
    layout->link[1] = FILES_LINK_B;
    uint32_t end = layout->journal.size;
    for (uint32_t slot = 0; slot < UPDATE_SLOTS; slot++) {
        bool is_model = update_component_of(slot) == UPDATE_MODEL;
        uint32_t size = round_up(is_model ? MODEL_SIZE : FIRMWARE_SIZE, erase);
        layout->slots[slot] = (update_region_t){end, size};
        end += size;
    }
    flash_sim = (flash_sim_t){
        .bytes = flash, .size = end, .erase_size = erase, .write_size = layout->write_size};
    memset(flash, 0xFF, end);
    fuzz_say("blocks of %u, units of %u, %u blocks of journal", erase, layout->write_size,
             geometries[geometry].journal_blocks);
    device_restart();
}

void device_load(uint32_t slot, uint32_t file)
{
    const update_region_t *region = &device.layout.slots[slot];
    memset(flash + region->offset, 0xFF, region->size);
    if (file != FILES_NONE) {
        uint32_t length = files[file].length;
        memcpy(flash + region->offset, files[file].bytes,
               length < region->size ? length : region->size);
    }
}

void device_restart(void)
{
    flash_sim_power_on();
    device.fail_in = 0;
    device.failed = false;
    device.upload = (upload_t){0};
    device.restarts++;
    device.writes++;
    update_open(&device.update, &device.layout, &device.key);
}

void device_judge_running(update_component_t component)
{
    uint8_t slot = device.update.running[component];
    if (slot != UPDATE_NO_SLOT) {
        if (update_component_of(slot) != component || !may_run(slot)) {
            fuzz_fail("what runs may not run");
        }
    } else if (component == UPDATE_FIRMWARE && (may_run(0) || may_run(1))) {
        fuzz_fail("no firmware is chosen though one may run");
    }
}

void device_choose(update_component_t component, update_reason_t why)
{
    update_end_t end = {.reason = why, .pc = 0x1234, .lr = 0x5678};
    update_choice_t choice =
        update_choose(&device.update, component, end, device.accept, device.context);
    fuzz_say("chosen: slot %u%s, %u", choice.slot, choice.trial ? " on trial" : "", choice.why);
    if (choice.slot != device.update.running[component]) {
        fuzz_fail("what is chosen does not count as running");
    }
    device_judge_running(component);
}

void device_boot(update_reason_t why)
{
    device_choose(UPDATE_FIRMWARE, why);
    device.open_model(why);
}

void device_count(update_reason_t reason)
{
    static const char *const names[] = {
        [UPDATE_OK] = "ok",           [UPDATE_E_EMPTY] = "empty",
        [UPDATE_E_FORMAT] = "format", [UPDATE_E_SIZE] = "size",
        [UPDATE_E_HASH] = "hash",     [UPDATE_E_SIGNATURE] = "signature",
        [UPDATE_E_KEY] = "key",       [UPDATE_E_LINK] = "link",
        [UPDATE_E_BOARD] = "board",   [UPDATE_E_COUNTER] = "counter",
        [UPDATE_E_KIND] = "kind",     [UPDATE_E_UNFIT] = "unfit",
        [UPDATE_E_PLAN] = "plan",     [UPDATE_E_REPLACED] = "replaced",
        [UPDATE_E_BUSY] = "busy",     [UPDATE_E_FLASH] = "flash",
        [UPDATE_E_ORDER] = "order",   [UPDATE_E_NOTHING] = "nothing",
    };
    if ((uint32_t)reason >= sizeof names / sizeof *names || names[reason] == NULL) {
        fuzz_fail("a reason that no function gives");
    }
    fuzz_count(names[reason]);
}

/* ---- what must hold */

static bool is_state_same(const update_state_t *a, const update_state_t *b)
{
    bool same = a->confirmed == b->confirmed && a->trial == b->trial &&
                a->attempts == b->attempts && a->rejected == b->rejected &&
                a->counter == b->counter;
    if (same && a->confirmed != UPDATE_NO_SLOT) {
        same = memcmp(a->confirmed_id, b->confirmed_id, IMAGE_ID_BYTES) == 0;
    }
    if (same && a->trial != UPDATE_NO_SLOT) {
        same = memcmp(a->trial_id, b->trial_id, IMAGE_ID_BYTES) == 0;
    }
    return same;
}

static bool is_transfer_same(const update_transfer_t *a, const update_transfer_t *b)
{
    return a->slot == b->slot &&
           (a->slot == UPDATE_NO_SLOT ||
            (a->length == b->length && memcmp(a->id, b->id, IMAGE_ID_BYTES) == 0));
}

static void judge_ram(void)
{
    static update_t fresh;
    update_open(&fresh, &device.layout, &device.key);
    const journal_t *a = &device.update.journal;
    const journal_t *b = &fresh.journal;
    if (a->sequence != b->sequence || a->first != b->first || a->events != b->events ||
        (a->sequence != 0 && (a->block != b->block || a->next != b->next))) {
        fuzz_fail("a restart would find another journal");
    }
    for (uint32_t i = 0; i < UPDATE_COMPONENTS; i++) {
        if (!is_state_same(&device.update.state[i], &fresh.state[i])) {
            fuzz_fail("a restart would find another state");
        }
    }
    if (!is_transfer_same(&device.update.transfer, &fresh.transfer)) {
        fuzz_fail("a restart would find another transfer");
    }
}

static void judge_events(void)
{
    const journal_t *journal = &device.update.journal;
    uint32_t oldest = journal_oldest_event(journal);
    uint32_t next = journal_next_event(journal);
    journal_record_t record;
    if (next - oldest > JOURNAL_BLOCK_BYTES / JOURNAL_RECORD_BYTES ||
        journal_event(journal, next, &record) || journal_event(journal, oldest - 1, &record)) {
        fuzz_fail("events that are not there can be read");
    }
    if (next != oldest &&
        (!journal_event(journal, next - 1, &record) || !journal_event(journal, oldest, &record))) {
        fuzz_fail("events that are there cannot be read");
    }
}

static void judge_counters(void)
{
    for (uint32_t i = 0; i < UPDATE_COMPONENTS; i++) {
        uint32_t counter = device.update.state[i].counter;
        if (!device.failed && counter < device.counter[i]) {
            fuzz_fail("a security counter has fallen");
        }
        device.counter[i] = counter;
    }
}

void device_judge(void)
{
    if (flash_sim.violations != 0) {
        fuzz_fail(flash_sim.violation);
    }
    if (flash_sim.dead) {
        fuzz_say("power was cut");
        device_restart();
        judge_counters();
        device_boot(UPDATE_E_POWER);
    }
    fuzz_looking = true;
    if (device.writes != 0) {
        if (!device.failed) {
            judge_ram();
        }
        judge_events();
        device.writes = 0;
    }
    fuzz_looking = false;
    judge_counters();
}

/* ---- steps */

static void cut(script_t *script)
{
    flash_sim.cut_at = flash_sim.operations + 1 + script_byte(script);
    flash_sim.shape = script_below(script, SHAPE_COUNT);
    flash_sim.seed = script_byte(script);
    fuzz_say("power will be cut at operation %u from now, shape %u",
             (unsigned int)(flash_sim.cut_at - flash_sim.operations), flash_sim.shape);
}

static update_reason_t any_end(script_t *script)
{
    return (update_reason_t)(UPDATE_E_POWER + script_below(script, 8));
}

void device_step(script_t *script)
{
    update_component_t component = (update_component_t)script_below(script, 2);
    switch (script_below(script, 8)) {
    case 0:
    case 1: {
        uint32_t slot = script_below(script, UPDATE_SLOTS + 1);
        fuzz_say("arm slot %u", slot);
        device_count(update_arm(&device.update, slot, device.accept, device.context));
        break;
    }
    case 2:
        fuzz_say("confirm component %u", component);
        device_count(update_confirm(&device.update, component));
        break;
    case 3:
        fuzz_say("reject component %u", component);
        device_count(
            update_reject(&device.update, component, (update_end_t){.reason = any_end(script)}));
        break;
    case 4:
        device.open_model(any_end(script));
        break;
    case 5:
        fuzz_say("restart");
        device_restart();
        device_boot(any_end(script));
        break;
    case 6:
        cut(script);
        break;
    default:
        device.fail_in = 1u + script_byte(script);
        fuzz_say("the flash will fail at operation %u from now", device.fail_in);
        break;
    }
}

/* ---- recovery */

static update_reason_t send(uint32_t slot, const file_t *file)
{
    upload_t *upload = &device.upload;
    for (uint32_t i = 0; !upload_is_complete(upload); i++) {
        update_reason_t reason = UPDATE_OK;
        if (upload->open && upload->erased) {
            uint32_t at = upload->offset;
            uint32_t length = file->length - at < PIECE ? file->length - at : PIECE;
            reason = upload_write(&device.update, upload, at, file->bytes + at, length);
        } else {
            reason =
                upload_begin(&device.update, upload, slot, file->length, file->sha, file->bytes);
        }
        if (reason != UPDATE_OK) {
            fuzz_fail("a good file is refused");
        }
        if (i == STEPS_MAX) {
            fuzz_fail("an upload does not come to an end");
        }
    }
    return upload_finish(&device.update, upload, device.accept, device.context);
}

/* Of a file that is taken up again a part may have come with wrong bytes before: it is refused
 * then, and begins anew. */
static void send_until_taken(uint32_t slot, const file_t *file)
{
    bool resumed = device.update.transfer.slot == slot;
    fuzz_say("send %s to slot %u", file->name, slot);
    update_reason_t reason = send(slot, file);
    if (resumed && reason == UPDATE_E_HASH) {
        fuzz_say("once more");
        reason = send(slot, file);
    }
    if (reason != UPDATE_OK) {
        fuzz_fail("a good file that has come is refused");
    }
}

/* A slot that may be written, and a file for it. */
static uint32_t free_slot(update_component_t component)
{
    uint32_t slot = component == UPDATE_FIRMWARE ? 0 : UPDATE_FIRMWARE_SLOTS;
    while (slot < UPDATE_SLOTS && update_is_protected(&device.update, slot)) {
        slot++;
    }
    if (slot == UPDATE_SLOTS || update_component_of(slot) != component) {
        fuzz_fail("no slot can be written");
    }
    return slot;
}

void device_must_recover(update_component_t component)
{
    fuzz_say("the flash is good again");
    device_restart();
    device.counter[component] = 0;
    device_boot(UPDATE_E_POWER);
    update_state_t *state = &device.update.state[component];
    if (state->trial != UPDATE_NO_SLOT &&
        update_reject(&device.update, component, (update_end_t){.reason = UPDATE_E_USER}) !=
            UPDATE_OK) {
        fuzz_fail("a trial does not end");
    }
    device_restart();
    device_boot(UPDATE_E_RESET);
    if (component == UPDATE_FIRMWARE && device.update.running[component] != UPDATE_NO_SLOT) {
        device_count(update_confirm(&device.update, component));
    }
    uint32_t slot = free_slot(component);
    const file_t *file = &files[FILES_MODEL_2];
    if (component == UPDATE_FIRMWARE) {
        file = &files[slot == 0 ? FILES_A_2 : FILES_B_2];
    }
    if (file->counter < state->counter) {
        return;
    }
    send_until_taken(slot, file);
    if (update_arm(&device.update, slot, device.accept, device.context) != UPDATE_OK) {
        fuzz_fail("a good image is not armed");
    }
    device_judge();
    device_restart();
    device_boot(UPDATE_E_RESET);
    if (device.update.running[component] != slot || state->attempts > 1 ||
        update_confirm(&device.update, component) != UPDATE_OK) {
        fuzz_fail("a good image does not get its trial");
    }
    device_judge();
    device_restart();
    device_boot(UPDATE_E_RESET);
    if (device.update.running[component] != slot || state->confirmed != slot) {
        fuzz_fail("a confirmed image does not run");
    }
}
