/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A device that is in use.
 */
#ifndef FUZZ_INSTALLED_H
#define FUZZ_INSTALLED_H

#include "device.h"

#define INSTALLED_MODEL_SLOT UPDATE_FIRMWARE_SLOTS

/* Starts a device whose firmware in slot 0 and model in slot 2 are confirmed and run. */
void installed_start(uint32_t geometry);

#endif
