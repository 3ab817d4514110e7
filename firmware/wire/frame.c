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

#define PIECE_GROUPS ((FRAME_PIECE_BYTES - 3) / 4)

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

void frame_begin(frame_encoder_t *encoder, const uint8_t *payload, size_t length)
{
    *encoder = (frame_encoder_t){
        .payload = payload,
        .length = length,
        .crc = crc16_update(0, payload, length),
    };
}

/* Byte `index` of the payload followed by its CRC. */
static uint8_t frame_byte(const frame_encoder_t *encoder, size_t index)
{
    if (index < encoder->length) {
        return encoder->payload[index];
    }
    return (uint8_t)(index == encoder->length ? encoder->crc >> 8 : encoder->crc);
}

/* Takes up to three bytes of payload and CRC. */
static uint32_t take_group(frame_encoder_t *encoder, uint8_t bytes[3])
{
    uint32_t count = 0;
    while (count < 3 && encoder->next < encoder->length + FRAME_CRC_BYTES) {
        bytes[count++] = frame_byte(encoder, encoder->next++);
    }
    return count;
}

size_t frame_encode(frame_encoder_t *encoder, uint8_t piece[FRAME_PIECE_BYTES])
{
    size_t end = encoder->length + FRAME_CRC_BYTES;
    uint8_t *out = piece;
    if (encoder->next > end) {
        return 0;
    }
    if (encoder->next == 0) {
        *out++ = FRAME_MARK_0;
        *out++ = FRAME_MARK_1;
    }
    for (uint32_t group = 0; group < PIECE_GROUPS && encoder->next < end; group++) {
        uint8_t bytes[3];
        base64_put(bytes, take_group(encoder, bytes), out);
        out += 4;
    }
    if (encoder->next == end) {
        encoder->next++;
        *out++ = '\n';
    }
    return (size_t)(out - piece);
}
