/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See smp.h. A message is a header of 8 bytes and a CBOR map:
 *
 *     0  operation (bits 0 to 2): read 0, write 2; a response is one more; version (bits 3 and 4)
 *     1  flags, 0        2  u16 bytes of the map       4  u16 group
 *     6  sequence        7  command                    numbers are big endian
 */
#include "mgmt/smp.h"

#include <zcbor_encode.h>

#include "mgmt/command.h"

#define HEADER_BYTES  8
#define LATEST        1 /* the version of the protocol that is called 2 */
#define REPLY_STATES  5 /* the running state, the constant state, maps and lists in three levels */
#define REPLY_MEMBERS 16

static const smp_group_t *const groups[] = {&smp_os_group, &smp_image_group, &smp_slots_group};

typedef struct {
    uint8_t operation;
    uint8_t version;
    uint16_t length;
    uint16_t group;
    uint8_t command;
} header_t;

static uint16_t get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static header_t read_header(const uint8_t *message)
{
    return (header_t){
        .operation = message[0] & 7,
        .version = message[0] >> 3 & 3,
        .length = get16(message + 2),
        .group = get16(message + 4),
        .command = message[7],
    };
}

static const smp_group_t *find_group(const header_t *header)
{
    for (uint32_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (groups[i]->id == header->group) {
            return groups[i];
        }
    }
    return NULL;
}

static const smp_command_t *find_command(const smp_group_t *group, const header_t *header)
{
    for (uint32_t i = 0; i < group->count; i++) {
        const smp_command_t *command = &group->commands[i];
        if (command->id == header->command && command->operation == header->operation) {
            return command;
        }
    }
    return NULL;
}

/* Begins a reply where the request's map is: its head, one byte, overwrites but that map's. */
static bool begin_reply(zcbor_state_t *reply, uint8_t *message)
{
    zcbor_new_encode_state(reply, REPLY_STATES, message + HEADER_BYTES,
                           SMP_MESSAGE_BYTES - HEADER_BYTES, 1);
    return zcbor_map_start_encode(reply, REPLY_MEMBERS);
}

static smp_result_t run(smp_t *smp, const smp_command_t *command, uint8_t *message,
                        uint32_t body_bytes, zcbor_state_t *reply)
{
    cbor_field_t fields[SMP_FIELDS_MAX];
    for (uint32_t i = 0; i < command->field_count; i++) {
        fields[i] = command->fields[i];
    }
    if (!cbor_read(message + HEADER_BYTES, body_bytes, fields, command->field_count)) {
        return SMP_E_INVALID;
    }
    return begin_reply(reply, message) ? command->run(smp, fields, reply) : SMP_E_TOO_LARGE;
}

static smp_result_t carry_out(smp_t *smp, const smp_group_t *group, const header_t *header,
                              uint8_t *message, uint32_t body_bytes, zcbor_state_t *reply)
{
    if (header->version > LATEST) {
        return SMP_E_TOO_NEW;
    }
    if (header->length != body_bytes) {
        return SMP_E_INVALID;
    }
    const smp_command_t *command = group != NULL ? find_command(group, header) : NULL;
    return command != NULL ? run(smp, command, message, body_bytes, reply) : SMP_E_UNSUPPORTED;
}

/* A number that all groups know, for clients of the first version. */
static uint32_t general_error(update_reason_t reason)
{
    enum { UNKNOWN = 1, NO_ENTRY = 5, BAD_STATE = 6, CORRUPT = 9, BUSY = 10, DENIED = 11 };
    switch (reason) {
    case UPDATE_E_EMPTY:
    case UPDATE_E_REPLACED:
        return NO_ENTRY;
    case UPDATE_E_FORMAT:
    case UPDATE_E_HASH:
        return CORRUPT;
    case UPDATE_E_BUSY:
        return BUSY;
    case UPDATE_E_FLASH:
        return UNKNOWN;
    case UPDATE_E_ORDER:
    case UPDATE_E_NOTHING:
        return BAD_STATE;
    default:
        return DENIED;
    }
}

/* {"rc": number}, or {"err": {"group": group, "rc": number}} for what is the group's own. */
static bool put_error(zcbor_state_t *reply, const smp_group_t *group, const header_t *header,
                      smp_result_t result)
{
    if (result < SMP_REFUSED(0)) {
        return cbor_put_uint(reply, "rc", result);
    }
    update_reason_t reason = (update_reason_t)(result - SMP_REFUSED(0));
    if (header->version == 0) {
        return cbor_put_uint(reply, "rc", general_error(reason));
    }
    return cbor_put_name(reply, "err") && zcbor_map_start_encode(reply, 2) &&
           cbor_put_uint(reply, "group", group->id) &&
           cbor_put_uint(reply, "rc", group->error(reason)) && zcbor_map_end_encode(reply, 2);
}

static void write_header(uint8_t *message, uint32_t body_bytes)
{
    message[0] |= 1;
    message[1] = 0;
    message[2] = (uint8_t)(body_bytes >> 8);
    message[3] = (uint8_t)body_bytes;
}

uint32_t smp_handle(smp_t *smp, uint8_t *message, uint32_t length)
{
    if (length < HEADER_BYTES) {
        return 0;
    }
    header_t header = read_header(message);
    if (header.operation != SMP_READ && header.operation != SMP_WRITE) {
        return 0;
    }
    zcbor_state_t reply[REPLY_STATES];
    const smp_group_t *group = find_group(&header);
    smp_result_t result = carry_out(smp, group, &header, message, length - HEADER_BYTES, reply);
    bool complete = result == SMP_OK ||
                    (begin_reply(reply, message) && put_error(reply, group, &header, result));
    if (!complete || !zcbor_map_end_encode(reply, REPLY_MEMBERS)) {
        return 0;
    }
    uint32_t body_bytes = (uint32_t)(reply->payload - message) - HEADER_BYTES;
    write_header(message, body_bytes);
    return HEADER_BYTES + body_bytes;
}
