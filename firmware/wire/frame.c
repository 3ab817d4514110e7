/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See frame.h. The decoder, byte by byte:
 *
 *     state    05         12     digit     CR       LF       anything else
 *     SKIP     MARKED     SKIP   SKIP      SKIP     SKIP     SKIP
 *     MARKED   MARKED     BODY   SKIP      SKIP     SKIP     SKIP
 *     BODY     MARKED -   SKIP - BODY      ENDING   SKIP +   SKIP -
 *     ENDING   MARKED -   SKIP - SKIP -    ENDING   SKIP +   SKIP -
 *
 * (-: the frame is dropped; +: the frame is judged. A digit that does not fit is "anything else".)
 */
#include "wire/frame.h"

#include <stdbool.h>

#include "wire/crc16.h"

enum { SKIP, MARKED, BODY, ENDING };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

static void begin(frame_decoder_t *decoder)
{
    decoder->state = BODY;
    decoder->length = 0;
    decoder->digits = 0;
    decoder->padding = 0;
    decoder->group = 0;
}

/* Appends the bytes of a full group of four digits. False if they do not fit, or if bits are set
 * that belong to no byte. */
static bool take_group(frame_decoder_t *decoder)
{
    uint32_t count = 3u - decoder->padding;
    uint32_t spare = decoder->group & ((1u << (8 * decoder->padding)) - 1);
    if (spare != 0 || decoder->length + count > sizeof decoder->payload) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        decoder->payload[decoder->length++] = (uint8_t)(decoder->group >> (16 - 8 * i));
    }
    decoder->digits = 0;
    decoder->group = 0;
    return true;
}

/* Takes a base64 digit or '='. False if it is neither, or stands where it may not. */
static bool take_digit(frame_decoder_t *decoder, uint8_t byte)
{
    int32_t value = 0;
    if (byte == '=' && decoder->digits >= 2) {
        decoder->padding++;
    } else {
        value = decoder->padding != 0 ? -1 : digit_value(byte);
    }
    if (value < 0) {
        return false;
    }
    decoder->group = decoder->group << 6 | (uint32_t)value;
    decoder->digits++;
    return decoder->digits < 4 || take_group(decoder);
}

static frame_event_t finish(frame_decoder_t *decoder)
{
    if (decoder->digits != 0 || decoder->length <= FRAME_CRC_BYTES ||
        crc16_update(0, decoder->payload, decoder->length) != 0) {
        return FRAME_DROPPED;
    }
    decoder->length = (uint16_t)(decoder->length - FRAME_CRC_BYTES);
    return FRAME_TAKEN;
}

static frame_event_t decode_body(frame_decoder_t *decoder, uint8_t byte)
{
    if (byte == FRAME_MARK_0) {
        decoder->state = MARKED;
        return FRAME_DROPPED;
    }
    if (byte == '\n') {
        decoder->state = SKIP;
        return finish(decoder);
    }
    if (byte == '\r') {
        decoder->state = ENDING;
        return FRAME_NONE;
    }
    if (decoder->state == ENDING || !take_digit(decoder, byte)) {
        decoder->state = SKIP;
        return FRAME_DROPPED;
    }
    return FRAME_NONE;
}

frame_event_t frame_decode(frame_decoder_t *decoder, uint8_t byte)
{
    if (decoder->state >= BODY) {
        return decode_body(decoder, byte);
    }
    if (decoder->state == MARKED && byte == FRAME_MARK_1) {
        begin(decoder);
    } else {
        decoder->state = byte == FRAME_MARK_0 ? MARKED : SKIP;
    }
    return FRAME_NONE;
}

/* Byte `index` of the payload followed by its CRC, or 0 beyond the end. */
static uint32_t frame_byte(const uint8_t *payload, size_t length, uint16_t crc, size_t index)
{
    if (index < length) {
        return payload[index];
    }
    return index == length ? crc >> 8 : index == length + 1 ? crc & 0xFFu : 0;
}

size_t frame_encode(const uint8_t *payload, size_t length, uint8_t *line)
{
    uint16_t crc = crc16_update(0, payload, length);
    size_t total = length + FRAME_CRC_BYTES;
    uint8_t *out = line;
    *out++ = FRAME_MARK_0;
    *out++ = FRAME_MARK_1;
    for (size_t i = 0; i < total; i += 3) {
        uint32_t group = frame_byte(payload, length, crc, i) << 16 |
                         frame_byte(payload, length, crc, i + 1) << 8 |
                         frame_byte(payload, length, crc, i + 2);
        *out++ = (uint8_t)digits[group >> 18];
        *out++ = (uint8_t)digits[group >> 12 & 63];
        *out++ = (uint8_t)(i + 1 < total ? digits[group >> 6 & 63] : '=');
        *out++ = (uint8_t)(i + 2 < total ? digits[group & 63] : '=');
    }
    *out++ = '\n';
    return (size_t)(out - line);
}
