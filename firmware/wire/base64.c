/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See base64.h.
 */
#include "wire/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value of a base64 digit, or -1. */
static int32_t digit_value(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z') {
        return byte - 'A';
    }
    if (byte >= 'a' && byte <= 'z') {
        return byte - 'a' + 26;
    }
    if (byte >= '0' && byte <= '9') {
        return byte - '0' + 52;
    }
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

/* The bytes of a full group. */
static bool take_group(base64_t *decoder, uint8_t bytes[3], uint32_t *count)
{
    uint32_t group = decoder->group;
    uint32_t spare = group & ((1u << (8 * decoder->padding)) - 1);
    if (spare != 0) {
        return false;
    }
    for (uint32_t i = 0; i < 3; i++) {
        bytes[i] = (uint8_t)(group >> (16 - 8 * i));
    }
    *count = 3u - decoder->padding;
    decoder->digits = 0;
    decoder->group = 0;
    return true;
}

bool base64_take(base64_t *decoder, uint8_t digit, uint8_t bytes[3], uint32_t *count)
{
    int32_t value = 0;
    if (digit == '=' && decoder->digits >= 2) {
        decoder->padding++;
    } else {
        value = decoder->padding != 0 ? -1 : digit_value(digit);
    }
    if (value < 0) {
        return false;
    }
    *count = 0;
    decoder->group = decoder->group << 6 | (uint32_t)value;
    decoder->digits++;
    return decoder->digits < 4 || take_group(decoder, bytes, count);
}

void base64_put(const uint8_t *bytes, uint32_t count, uint8_t digits[4])
{
    uint32_t group = 0;
    for (uint32_t i = 0; i < 3; i++) {
        group = group << 8 | (i < count ? bytes[i] : 0u);
    }
    for (uint32_t i = 0; i < 4; i++) {
        digits[i] = (uint8_t)(i <= count ? alphabet[group >> (18 - 6 * i) & 63] : '=');
    }
}
