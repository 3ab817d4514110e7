/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * CRC-32 as zlib computes it.
 */
#ifndef CORE_CRC32_H
#define CORE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to begin) over `length` bytes: CRC-32/ISO-HDLC, polynomial 0x04C11DB7
 * reflected, initial value and final XOR 0xFFFFFFFF; "123456789" gives 0xCBF43926. */
uint32_t crc32_update(uint32_t crc, const void *bytes, size_t length);

#endif
