/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Group 0, os: echo, reset, parameters.
 */
#include "mgmt/command.h"

static const cbor_field_t echo_fields[] = {{.name = "d", .kind = CBOR_TEXT}};

/* The text moves to the beginning of the same message: never to a later place. */
static smp_result_t smp_os_echo(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    (void)smp;
    const cbor_field_t *text = &fields[0];
    if (!text->present) {
        return SMP_E_INVALID;
    }
    return smp_replied(cbor_put_text(reply, "r", (const char *)text->bytes, text->length));
}

static smp_result_t smp_os_reset(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    (void)fields;
    (void)reply;
    smp->restart = true;
    return SMP_OK;
}

static smp_result_t smp_os_parameters(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply)
{
    (void)fields;
    return smp_replied(cbor_put_uint(reply, "buf_size", smp->request_bytes) &&
                       cbor_put_uint(reply, "buf_count", 1));
}

/* Nothing here is refused for a reason of updates. */
static uint16_t smp_os_error(update_reason_t reason)
{
    return (uint16_t)reason;
}

static const smp_command_t commands[] = {
    {.operation = SMP_WRITE, .id = 0, .fields = echo_fields, .field_count = 1, .run = smp_os_echo},
    {.operation = SMP_WRITE, .id = 5, .run = smp_os_reset},
    {.operation = SMP_READ, .id = 6, .run = smp_os_parameters},
};

const smp_group_t smp_os_group = {
    .id = 0,
    .error = smp_os_error,
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};
