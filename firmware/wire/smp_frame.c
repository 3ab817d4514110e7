/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See smp_frame.h. The decoder, byte by byte:
 *
 *     state    06       04      09        14       digit   CR       LF       anything else
 *     SKIP     FIRST    MORE    SKIP      SKIP     SKIP    SKIP     SKIP     SKIP
 *     FIRST    FIRST    MORE    BODY (1)  SKIP     SKIP    SKIP     SKIP     SKIP
 *     MORE     FIRST    MORE    SKIP      BODY (2) SKIP    SKIP     SKIP     SKIP
 *     BODY     FIRST -  MORE -  SKIP -    SKIP -   BODY    ENDING   SKIP (3) SKIP -
 *     ENDING   FIRST -  MORE -  SKIP -    SKIP -   SKIP -  ENDING   SKIP (3) SKIP -
 *
 * (-: the message is dropped. 1: a message is open from here on; one that was open is dropped. 2:
 * if a message is open, else SKIP. 3: the message is judged if all of it has come, else goes on
 * with the next line that has a marker. A digit that does not fit is "anything else".)
 */
#include "wire/smp_frame.h"

#include "wire/crc16.h"

#define FIRST_0      0x06
#define FIRST_1      0x09
#define MORE_0       0x04
#define MORE_1       0x14
#define LENGTH_BYTES 2
#define LINE_GROUPS  (SMP_FRAME_LINE_FRAME / 3)

enum { SKIP, FIRST, MORE, BODY, ENDING };

static uint8_t state_after(uint8_t byte)
{
    return byte == FIRST_0 ? FIRST : byte == MORE_0 ? MORE : SKIP;
}

static frame_event_t drop(smp_frame_decoder_t *decoder, uint8_t byte)
{
    decoder->state = state_after(byte);
    decoder->open = false;
    return FRAME_DROPPED;
}

static void begin_line(smp_frame_decoder_t *decoder)
{
    decoder->state = BODY;
    decoder->base64 = (base64_t){0};
}

static frame_event_t begin_message(smp_frame_decoder_t *decoder)
{
    frame_event_t event = decoder->open ? FRAME_DROPPED : FRAME_NONE;
    begin_line(decoder);
    decoder->open = true;
    decoder->expected = 0;
    decoder->received = 0;
    return event;
}

/* The length is known with its second byte: room and sense are looked at then. */
static bool take_byte(smp_frame_decoder_t *decoder, uint8_t byte)
{
    uint32_t index = decoder->received++;
    if (index >= LENGTH_BYTES) {
        index -= LENGTH_BYTES;
        if (index >= decoder->expected) {
            return false;
        }
        decoder->buffer[index] = byte;
        return true;
    }
    decoder->expected = decoder->expected << 8 | byte;
    return index == 0 ||
           (decoder->expected > SMP_FRAME_CRC_BYTES && decoder->expected <= decoder->size);
}

static bool take_digit(smp_frame_decoder_t *decoder, uint8_t digit)
{
    uint8_t bytes[3];
    uint32_t count;
    if (!base64_take(&decoder->base64, digit, bytes, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!take_byte(decoder, bytes[i])) {
            return false;
        }
    }
    return true;
}

static frame_event_t end_line(smp_frame_decoder_t *decoder)
{
    bool complete = decoder->received == decoder->expected + LENGTH_BYTES;
    bool may_go_on = base64_may_end(&decoder->base64) && decoder->base64.padding == 0;
    if (!complete && may_go_on) {
        decoder->state = SKIP;
        return FRAME_NONE;
    }
    if (!complete || !base64_may_end(&decoder->base64) ||
        crc16_update(0, decoder->buffer, decoder->expected) != 0) {
        return drop(decoder, '\n');
    }
    decoder->state = SKIP;
    decoder->open = false;
    decoder->length = decoder->expected - SMP_FRAME_CRC_BYTES;
    return FRAME_TAKEN;
}

static frame_event_t decode_body(smp_frame_decoder_t *decoder, uint8_t byte)
{
    if (byte == '\n') {
        return end_line(decoder);
    }
    if (byte == '\r') {
        decoder->state = ENDING;
        return FRAME_NONE;
    }
    if (decoder->state == ENDING || !take_digit(decoder, byte)) {
        return drop(decoder, byte);
    }
    return FRAME_NONE;
}

frame_event_t smp_frame_decode(smp_frame_decoder_t *decoder, uint8_t byte)
{
    if (decoder->state >= BODY) {
        return decode_body(decoder, byte);
    }
    if (decoder->state == FIRST && byte == FIRST_1) {
        return begin_message(decoder);
    }
    if (decoder->state == MORE && byte == MORE_1 && decoder->open) {
        begin_line(decoder);
    } else {
        decoder->state = state_after(byte);
    }
    return FRAME_NONE;
}

void smp_frame_begin(smp_frame_encoder_t *encoder, const uint8_t *message, uint32_t length)
{
    *encoder = (smp_frame_encoder_t){
        .message = message,
        .length = length,
        .crc = crc16_update(0, message, length),
    };
}

/* Byte `index` of the frame: length, message, CRC. */
static uint8_t frame_byte(const smp_frame_encoder_t *encoder, uint32_t index)
{
    uint32_t announced = encoder->length + SMP_FRAME_CRC_BYTES;
    if (index < LENGTH_BYTES) {
        return (uint8_t)(index == 0 ? announced >> 8 : announced);
    }
    index -= LENGTH_BYTES;
    if (index < encoder->length) {
        return encoder->message[index];
    }
    return (uint8_t)(index == encoder->length ? encoder->crc >> 8 : encoder->crc);
}

/* Takes up to three bytes of the frame. */
static uint32_t take_group(smp_frame_encoder_t *encoder, uint8_t bytes[3])
{
    uint32_t total = LENGTH_BYTES + encoder->length + SMP_FRAME_CRC_BYTES;
    uint32_t count = 0;
    while (count < 3 && encoder->next < total) {
        bytes[count++] = frame_byte(encoder, encoder->next++);
    }
    return count;
}

size_t smp_frame_encode(smp_frame_encoder_t *encoder, uint8_t *line)
{
    bool first = encoder->next == 0;
    uint8_t *out = line;
    *out++ = first ? FIRST_0 : MORE_0;
    *out++ = first ? FIRST_1 : MORE_1;
    for (uint32_t group = 0; group < LINE_GROUPS; group++) {
        uint8_t bytes[3];
        uint32_t count = take_group(encoder, bytes);
        if (count == 0) {
            break;
        }
        base64_put(bytes, count, out);
        out += 4;
    }
    if (out == line + 2) {
        return 0;
    }
    *out++ = '\n';
    return (size_t)(out - line);
}
