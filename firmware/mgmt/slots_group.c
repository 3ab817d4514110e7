/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Group 64, ours: what the image group has no words for. State of both components, history, the end
 * of a trial, what is in the slots.
 */
#include <string.h>
#include <zcbor_encode.h>

#include "infer/plan.h"
#include "mgmt/command.h"

#define STATE_MEMBERS   5
#define PLACE_MEMBERS   3
#define CONTENT_MEMBERS 6
#define NAME_MAX_BYTES  32 /* of a model: five contents fit into a message */

/* So many records fit beside all else, each with its head of two bytes. */
#define EVENTS_MAX ((SMP_MESSAGE_BYTES - 64) / (JOURNAL_RECORD_BYTES + 2))

static uint16_t smp_slots_error(update_reason_t reason)
{
    return (uint16_t)reason;
}

/* ---- status */

static bool put_running(zcbor_state_t *reply, const update_t *update)
{
    bool good =
        cbor_put_name(reply, "running") && zcbor_list_start_encode(reply, UPDATE_COMPONENTS);
    for (uint32_t i = 0; good && i < UPDATE_COMPONENTS; i++) {
        good = zcbor_uint32_put(reply, update->running[i]);
    }
    return good && zcbor_list_end_encode(reply, UPDATE_COMPONENTS);
}

static bool put_component(zcbor_state_t *reply, const update_state_t *state)
{
    return zcbor_map_start_encode(reply, STATE_MEMBERS) &&
           cbor_put_uint(reply, "confirmed", state->confirmed) &&
           cbor_put_uint(reply, "trial", state->trial) &&
           cbor_put_uint(reply, "attempts", state->attempts) &&
           cbor_put_uint(reply, "rejected", state->rejected) &&
           cbor_put_uint(reply, "counter", state->counter) &&
           zcbor_map_end_encode(reply, STATE_MEMBERS);
}

static bool put_state(zcbor_state_t *reply, const update_t *update)
{
    bool good = cbor_put_name(reply, "state") && zcbor_list_start_encode(reply, UPDATE_COMPONENTS);
    for (uint32_t i = 0; good && i < UPDATE_COMPONENTS; i++) {
        good = put_component(reply, &update->state[i]);
    }
    return good && zcbor_list_end_encode(reply, UPDATE_COMPONENTS);
}

static bool put_place(zcbor_state_t *reply, const update_layout_t *layout, uint32_t slot)
{
    return zcbor_map_start_encode(reply, PLACE_MEMBERS) &&
           cbor_put_uint(reply, "offset", layout->slots[slot].offset) &&
           cbor_put_uint(reply, "size", layout->slots[slot].size) &&
           cbor_put_uint(reply, "link", slot < UPDATE_FIRMWARE_SLOTS ? layout->link[slot] : 0) &&
           zcbor_map_end_encode(reply, PLACE_MEMBERS);
}

static bool put_places(zcbor_state_t *reply, const update_layout_t *layout)
{
    bool good = cbor_put_name(reply, "slots") && zcbor_list_start_encode(reply, UPDATE_SLOTS);
    for (uint32_t slot = 0; good && slot < UPDATE_SLOTS; slot++) {
        good = put_place(reply, layout, slot);
    }
    return good && zcbor_list_end_encode(reply, UPDATE_SLOTS);
}

/* The upload that is open, or the one that the journal has and nobody has taken up again: how far
 * that has come is known when somebody does. */
static bool put_transfer(zcbor_state_t *reply, const smp_t *smp)
{
    const update_transfer_t *known = &smp->update->transfer;
    const upload_t *upload = &smp->upload;
    return cbor_put_name(reply, "transfer") && zcbor_map_start_encode(reply, PLACE_MEMBERS) &&
           cbor_put_uint(reply, "slot", upload->open ? upload->slot : known->slot) &&
           cbor_put_uint(reply, "length", upload->open ? upload->length : known->length) &&
           cbor_put_uint(reply, "offset", upload->open ? upload->offset : 0) &&
           zcbor_map_end_encode(reply, PLACE_MEMBERS);
}

static smp_result_t smp_slots_status(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    (void)fields;
    const update_t *update = smp->update;
    const update_layout_t *layout = update->layout;
    return smp_replied(cbor_put_text(reply, "board", layout->board, strlen(layout->board)) &&
                       cbor_put_bool(reply, "dev", update->key->development) &&
                       put_running(reply, update) && put_state(reply, update) &&
                       put_places(reply, layout) && put_transfer(reply, smp) &&
                       cbor_put_uint(reply, "refused", (uint32_t)smp->refused) &&
                       cbor_put_uint(reply, "erase", layout->erase_size) &&
                       cbor_put_uint(reply, "write", layout->write_size));
}

/* ---- history */

static const cbor_field_t events_fields[] = {{.name = "from", .kind = CBOR_UINT}};

static bool put_events(zcbor_state_t *reply, const journal_t *journal, uint32_t from)
{
    bool good = cbor_put_name(reply, "events") && zcbor_list_start_encode(reply, EVENTS_MAX);
    journal_record_t record;
    for (uint32_t i = 0; good && i < EVENTS_MAX && journal_event(journal, from + i, &record); i++) {
        good = zcbor_bstr_encode_ptr(reply, (const char *)&record, JOURNAL_RECORD_BYTES);
    }
    return good && zcbor_list_end_encode(reply, EVENTS_MAX);
}

static smp_result_t smp_slots_events(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    const journal_t *journal = &smp->update->journal;
    uint32_t oldest = journal_oldest_event(journal);
    uint32_t from = fields[0].number > oldest ? fields[0].number : oldest;
    return smp_replied(cbor_put_uint(reply, "oldest", oldest) &&
                       cbor_put_uint(reply, "next", journal_next_event(journal)) &&
                       put_events(reply, journal, from));
}

/* ---- the end of a trial */

enum { END_COMPONENT, END_REASON };

static const cbor_field_t end_fields[] = {
    [END_COMPONENT] = {.name = "component", .kind = CBOR_UINT},
    [END_REASON] = {.name = "reason", .kind = CBOR_UINT},
};

/* What somebody outside of the device can have found. */
static bool is_verdict(uint32_t reason)
{
    return reason == UPDATE_E_SELF_TEST || reason == UPDATE_E_QUALITY || reason == UPDATE_E_USER;
}

static smp_result_t smp_slots_end(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    (void)reply;
    update_t *update = smp->update;
    uint32_t component = fields[END_COMPONENT].number;
    uint32_t verdict = fields[END_REASON].number;
    if (!fields[END_COMPONENT].present || component >= UPDATE_COMPONENTS || !is_verdict(verdict)) {
        return SMP_E_INVALID;
    }
    uint8_t trial = update->state[component].trial;
    update_end_t end = {.reason = (update_reason_t)verdict};
    update_reason_t reason = update_reject(update, (update_component_t)component, end);
    bool runs = reason == UPDATE_OK && trial == update->running[component];
    smp->restart |= runs && component == UPDATE_FIRMWARE;
    smp->model_turns |= runs && component == UPDATE_MODEL;
    return smp_result(reason);
}

/* ---- what is in the slots */

/* The name in a plan that nobody has checked: as much as lies within the image. Bytes, as it need
 * not be UTF-8 either. */
static bool put_model_name(zcbor_state_t *reply, const image_t *image, const plan_header_t *plan)
{
    uint64_t at = (uint64_t)plan->strings + plan->name;
    uint32_t from = at < image->payload_bytes ? (uint32_t)at : image->payload_bytes;
    uint32_t most = image->payload_bytes - from;
    most = most < NAME_MAX_BYTES ? most : NAME_MAX_BYTES;
    const uint8_t *name = image->payload + from;
    uint32_t length = 0;
    while (length < most && name[length] != 0) {
        length++;
    }
    return cbor_put_bytes(reply, "name", name, length);
}

/* What a model needs, as its plan's header says it. */
static bool put_plan(zcbor_state_t *reply, const image_t *image)
{
    const plan_header_t *plan = (const plan_header_t *)image->payload;
    if (!image->is_model || image->payload_bytes < sizeof *plan || plan->magic != PLAN_MAGIC) {
        return true;
    }
    return cbor_put_bytes(reply, "plan", image->payload, sizeof *plan) &&
           put_model_name(reply, image, plan);
}

/* What a firmware can run, as it says itself. */
static bool put_capability(zcbor_state_t *reply, const image_t *image)
{
    return image->capability == NULL ||
           cbor_put_bytes(reply, "capability", image->capability, IMAGE_CAPABILITY_BYTES);
}

static bool put_content(zcbor_state_t *reply, const update_layout_t *layout, uint32_t slot)
{
    image_t image;
    if (image_parse(layout, slot, &image) != UPDATE_OK) {
        return true;
    }
    return zcbor_map_start_encode(reply, CONTENT_MEMBERS) && cbor_put_uint(reply, "slot", slot) &&
           cbor_put_uint(reply, "bytes", image.total_bytes) &&
           cbor_put_uint(reply, "counter", image.counter) && put_capability(reply, &image) &&
           put_plan(reply, &image) && zcbor_map_end_encode(reply, CONTENT_MEMBERS);
}

static smp_result_t smp_slots_contents(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    (void)fields;
    const update_t *update = smp->update;
    bool good = cbor_put_bytes(reply, "key", update->key->hash, sizeof update->key->hash) &&
                cbor_put_name(reply, "images") && zcbor_list_start_encode(reply, UPDATE_SLOTS);
    for (uint32_t slot = 0; good && slot < UPDATE_SLOTS; slot++) {
        good = put_content(reply, update->layout, slot);
    }
    return smp_replied(good && zcbor_list_end_encode(reply, UPDATE_SLOTS));
}

static const smp_command_t commands[] = {
    {.operation = SMP_READ, .id = 0, .run = smp_slots_status},
    {.operation = SMP_READ,
     .id = 1,
     .fields = events_fields,
     .field_count = sizeof events_fields / sizeof events_fields[0],
     .run = smp_slots_events},
    {.operation = SMP_WRITE,
     .id = 2,
     .fields = end_fields,
     .field_count = sizeof end_fields / sizeof end_fields[0],
     .run = smp_slots_end},
    {.operation = SMP_READ, .id = 3, .run = smp_slots_contents},
};

const smp_group_t smp_slots_group = {
    .id = 64,
    .error = smp_slots_error,
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};
