/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What a command of an SMP group consists of. Adding one is an entry in its group's table.
 */
#ifndef MGMT_COMMAND_H
#define MGMT_COMMAND_H

#include "mgmt/cbor.h"
#include "mgmt/smp.h"

#define SMP_FIELDS_MAX 6

/* How a command has ended: SMP_OK, a number that all groups know, or SMP_REFUSED(reason). */
typedef uint32_t smp_result_t;

#define SMP_OK              0u
#define SMP_E_INVALID       3u
#define SMP_E_TOO_LARGE     7u
#define SMP_E_UNSUPPORTED   8u
#define SMP_E_TOO_NEW       13u
#define SMP_REFUSED(reason) (0x100u | (uint32_t)(reason))

typedef enum { SMP_READ = 0, SMP_WRITE = 2 } smp_operation_t;

typedef struct {
    smp_operation_t operation;
    uint8_t id;
    const cbor_field_t *fields; /* that a request may have, at most SMP_FIELDS_MAX */
    uint8_t field_count;

    /* Carries it out. `fields` are as found; their bytes are overwritten as the reply grows, not
     * before. `reply` is a map that is open. */
    smp_result_t (*run)(smp_t *smp, const cbor_field_t *fields, zcbor_state_t *reply);
} smp_command_t;

typedef struct {
    uint16_t id;
    uint16_t (*error)(update_reason_t reason); /* the group's number for a reason */
    const smp_command_t *commands;
    uint32_t count;
} smp_group_t;

extern const smp_group_t smp_os_group;
extern const smp_group_t smp_image_group;
extern const smp_group_t smp_slots_group;

/* UPDATE_OK is SMP_OK. */
static inline smp_result_t smp_result(update_reason_t reason)
{
    return reason == UPDATE_OK ? SMP_OK : SMP_REFUSED(reason);
}

/* For the end of a command: true if all of the reply had room. */
static inline smp_result_t smp_replied(bool complete)
{
    return complete ? SMP_OK : SMP_E_TOO_LARGE;
}

#endif
