/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What the application has to do with images. Two kinds of firmware implement it, the build takes
 * one folder: app/alone is not updated and runs its factory plan; app/slots lies in a slot, was
 * started by the bootloader, and is managed over SMP.
 */
#ifndef APP_UPDATES_H
#define APP_UPDATES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ring.h"
#include "core/text.h"
#include "hal/restart.h"
#include "infer/infer.h"

/* Received bytes that wait for console_receive(). Whatever the device is at, an inference or an
 * erase, there is room for the longest request that a host may send meanwhile. */
extern ring_t updates_ring;

/* Finds out what runs; returns why the run before ended. Once, at start, before all else here. */
restart_t updates_start(void);

/* Appends to the banner what runs, and a trial that has just ended badly. */
void updates_describe(text_t *text);

/* Firmware on trial tests itself: its factory plan makes an inference, and so does the confirmed
 * model, which it has to survive. Then it is confirmed; if it fails, the device restarts and this
 * does not return, unless no other firmware is left. Once, before updates_open(). */
void updates_test(void);

/* Opens the model that has to run now. `*plan` and `*length` are of what is open, or of the plan
 * that was refused for the status that is returned. */
infer_status_t updates_open(infer_t *model, const uint8_t **plan, uint32_t *length);

/* Takes each byte that is received. Carries out a request of the management and answers it, when it
 * was the last byte of one. That can restart the device, or the session with another model. */
void updates_receive(uint8_t byte);

/* True if there is a flash that can be written, with room for what is no image. */
bool updates_has_flash(void);

/* True while the management has had something to do a moment ago: the link is needed. */
bool updates_busy(void);

/* Versions of the firmware and of the model that run; empty where they have none. */
void updates_versions(text_t *firmware, text_t *model);

/* There is progress: the watchdog, where it cannot be stopped, begins anew. From the main loop. */
void updates_progress(void);

#endif
