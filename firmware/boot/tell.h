/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What the bootloader says where it has nothing to run.
 */
#ifndef BOOT_TELL_H
#define BOOT_TELL_H

#include "update/update.h"

/* Sends one line over the UART, which has been started: for each firmware slot why its image is
 * not to be used. */
void tell_nothing_to_run(const update_t *update);

#endif
