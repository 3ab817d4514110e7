/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See crc16.h.
 */
#include "wire/crc16.h"

/* One byte without a table: the eight divisions by x^16 + x^12 + x^5 + 1 collapse into shifts,
 * because the polynomial has so few terms. */
static uint32_t crc16_byte(uint32_t crc, uint8_t byte)
{
    uint32_t x = ((crc >> 8) ^ byte) & 0xFF;
    x ^= x >> 4;
    return ((crc << 8) ^ (x << 12) ^ (x << 5) ^ x) & 0xFFFF;
}

uint16_t crc16_update(uint16_t crc, const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    uint32_t state = crc;
    for (size_t i = 0; i < length; i++) {
        state = crc16_byte(state, byte[i]);
    }
    return (uint16_t)state;
}
