/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Who works with a device: the factory, and a client like `torpor update`, which goes through the
 * steps of the scenario. The client has its own power: it knows which step it is at. When the
 * device was away it looks what is done already and asks for the rest.
 */
#ifndef POWERCUT_CLIENT_H
#define POWERCUT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "judge.h"

typedef struct {
    uint32_t step;     /* of the scenario */
    bool begun;        /* that step has */
    uint32_t since;    /* number of the first event after its beginning */
    bool sending;      /* an upload is open */
    uint32_t reached;  /* offset of the upload that the device has named last, or of erasing */
    uint32_t requests; /* of this step */
    uint32_t meddled;  /* forbidden requests */
} client_t;

/* True if all steps are done. */
bool client_is_done(const client_t *client);

/* True if the next step does not need a device that runs: factory and power switch. */
bool client_is_outside(const client_t *client);

/* The slot that it sends a file to, or erases; UPDATE_NO_SLOT if it does neither, or with an image
 * that has to be refused before anything is erased. */
uint32_t client_target(const client_t *client);

/* One request, or a step that is done already. */
void client_act(client_t *client, device_t *device, judge_t *judge);

/* The device did not answer any more. */
void client_lost(client_t *client);

#endif
