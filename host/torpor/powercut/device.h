/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A device: bootloader and application as firmware/boot and firmware/app are, on the simulated
 * flash. All of it is RAM and is lost when power is. Whether an application hangs, crashes or works
 * is the nature of its image.
 */
#ifndef POWERCUT_DEVICE_H
#define POWERCUT_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "judge.h"
#include "mgmt/models.h"
#include "update/update.h"
#include "update/upload.h"

typedef struct {
    bool runs;        /* an application does, and waits for requests */
    update_end_t end; /* how the run before has ended */
    update_t update;
    upload_t upload;
    uint32_t engine; /* scenario_engine_t, of the firmware that runs */
    models_t models;
    infer_t model;
    models_plan_t plan;
} device_t;

/* Takes away all that was in RAM. */
void device_lose_ram(device_t *device);

/* Somebody asks it to restart. */
void device_reset(device_t *device);

/* From the reset to an application that waits for requests, or until it restarts: then `runs` is
 * false, and it has to be called again. What is left after power has failed means nothing. */
void device_start(device_t *device, judge_t *judge);

/* The application chooses its model anew, as it does when one was armed. May restart. */
void device_turn_model(device_t *device, judge_t *judge);

#endif
