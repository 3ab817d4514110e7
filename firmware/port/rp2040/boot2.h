/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How long the second stage of the boot is, which the vector table of a program follows. For this
 * port only.
 */
#ifndef PORT_RP2040_BOOT2_H
#define PORT_RP2040_BOOT2_H

enum { SECOND_STAGE_BYTES = 256 };

#endif
