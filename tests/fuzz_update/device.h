/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A device for fuzz targets: the update library on simulated flash, signed files to put into its
 * slots, and what must hold whatever happens: no rule of the flash is broken, no slot that matters
 * is written, RAM says what a restart would find, what is chosen is an image that may run.
 *
 * Power can be cut and the flash can fail at a chosen operation.
 */
#ifndef FUZZ_DEVICE_H
#define FUZZ_DEVICE_H

#include "files.h"
#include "fuzz.h"
#include "update/update.h"
#include "update/upload.h"

#define DEVICE_FLASH_BYTES 65536
#define DEVICE_GEOMETRIES  5

typedef struct {
    update_layout_t layout;
    update_key_t key;
    update_t update;
    upload_t upload;
    update_accept_t accept; /* device_accept() at first */
    void *context;
    void (*open_model)(update_reason_t why); /* chooses one; at first no more than that */
    uint32_t restarts;                       /* so far */
    uint32_t writes;                         /* since it was judged; a restart counts too */
    uint32_t fail_in; /* the flash fails at that many operations from now; 0: never */
    bool failed;      /* it has, since the last restart: RAM may say less than the flash */
    uint32_t counter[UPDATE_COMPONENTS];
} device_t;

extern device_t device;

/* Makes the flash anew, erased, with one of a few geometries. */
void device_start(uint32_t geometry);

/* For models: refuses FILES_UNFIT. */
update_reason_t device_accept(const image_t *image, void *context);

/* Puts a file into a slot, or erases it (FILES_NONE), as a factory would. */
void device_load(uint32_t slot, uint32_t file);

/* All RAM is lost; the journal is read. Nothing is chosen yet. */
void device_restart(void);

/* Chooses firmware and model, and judges what is chosen. */
void device_boot(update_reason_t why);

/* Chooses what runs of a component. */
void device_choose(update_component_t component, update_reason_t why);

/* What runs must be an image that may, and firmware must run if there is any that may. */
void device_judge_running(update_component_t component);

/* Takes one step of a script that any part of an application might take: arm, confirm, reject,
 * choose, restart, a cut, a failure. */
void device_step(script_t *script);

/* Judges. Call after each step; if power was cut in it, the device restarts and boots. */
void device_judge(void);

/* Whatever has happened: power and flash are good again, and a client that behaves gets a new
 * image into the device, tried and confirmed. */
void device_must_recover(update_component_t component);

/* Counts what a function of the update library has returned. */
void device_count(update_reason_t reason);

#endif
