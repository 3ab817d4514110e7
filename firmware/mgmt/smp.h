/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A server of the Simple Management Protocol: the part of MCUmgr's os and image groups that updates
 * need, and a group of our own (docs/SPEC.md). Bytes of a message in, bytes of a message out:
 * framing and what follows from a request are the application's.
 *
 * The image group's image 0 and 1 both mean the firmware slot that is not running, 2 to 4 are the
 * model slots. Its "test" puts an image on trial; so does "confirm" of an image that is not
 * running, because nothing here becomes permanent without a trial.
 */
#ifndef MGMT_SMP_H
#define MGMT_SMP_H

#include <stdbool.h>
#include <stdint.h>

#include "update/update.h"
#include "update/upload.h"

#define SMP_MESSAGE_BYTES 1024 /* of the buffer */

/* An upload that is over, in case that its last request comes again. */
typedef struct {
    uint32_t length; /* 0: none */
    update_reason_t reason;
} smp_ended_t;

/* How far the slot of the last erase has come. */
typedef struct {
    uint8_t slot;
    uint32_t offset; /* as upload_erase() has it */
} smp_erased_t;

typedef struct {
    /* Set by the caller; all else zero at first. */
    update_t *update;
    uint32_t request_bytes; /* of a request with its length and CRC: what clients are told */
    update_accept_t accept; /* for models */
    void *context;          /* of `accept` */
    /* What the last request asks for once its answer is sent. The caller does it and clears it. */
    bool restart;     /* restart the device */
    bool model_turns; /* choose the model anew */
    /* Private. */
    upload_t upload;
    smp_ended_t ended;
    smp_erased_t erased;
    update_reason_t refused; /* why the last upload or change of state was refused */
} smp_t;

/* Carries out the request of `length` bytes at `message`, and writes the response over it, at most
 * SMP_MESSAGE_BYTES. Returns its length; 0: it was no request, there is nothing to answer. Takes up
 * to a second and a half where something is erased, and as long as a signature takes where one is
 * verified. */
uint32_t smp_handle(smp_t *smp, uint8_t *message, uint32_t length);

#endif
