/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The CRC of a frame.
 */
#ifndef WIRE_CRC16_H
#define WIRE_CRC16_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to begin) over `length` bytes: CRC-16/XMODEM, polynomial 0x1021, initial
 * value 0, not reflected; "123456789" gives 0x31C3. Over a message followed by its CRC, high byte
 * first, the result is 0. */
uint16_t crc16_update(uint16_t crc, const void *bytes, size_t length);

#endif
