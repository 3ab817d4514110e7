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

static void begin(frame_decoder_t *decoder)
{
    decoder->state = BODY;
    decoder->length = 0;
    decoder->base64 = (base64_t){0};
}

/* Takes a base64 digit or '='. False if it is neither, stands where it may not, or completes bytes
 * that do not fit. */
static bool take_digit(frame_decoder_t *decoder, uint8_t digit)
{
    uint8_t bytes[3];
    uint32_t count;
    if (!base64_take(&decoder->base64, digit, bytes, &count) ||
        decoder->length + count > sizeof decoder->payload) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        decoder->payload[decoder->length++] = bytes[i];
    }
    return true;
}

static frame_event_t finish(frame_decoder_t *decoder)
{
    if (!base64_may_end(&decoder->base64) || decoder->length <= FRAME_CRC_BYTES ||
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

/* Byte `index` of the payload followed by its CRC. */
static uint8_t frame_byte(const uint8_t *payload, size_t length, uint16_t crc, size_t index)
{
    if (index < length) {
        return payload[index];
    }
    return (uint8_t)(index == length ? crc >> 8 : crc);
}

size_t frame_encode(const uint8_t *payload, size_t length, uint8_t *line)
{
    uint16_t crc = crc16_update(0, payload, length);
    size_t total = length + FRAME_CRC_BYTES;
    uint8_t *out = line;
    *out++ = FRAME_MARK_0;
    *out++ = FRAME_MARK_1;
    for (size_t i = 0; i < total;) {
        uint8_t bytes[3];
        uint32_t count = 0;
        while (count < 3 && i < total) {
            bytes[count++] = frame_byte(payload, length, crc, i++);
        }
        base64_put(bytes, count, out);
        out += 4;
    }
    *out++ = '\n';
    return (size_t)(out - line);
}
