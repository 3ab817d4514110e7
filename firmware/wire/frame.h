/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Frames are lines of ASCII on a wire that carries other things too:
 *
 *     05 12   base64(payload + CRC-16)   0A
 *
 * base64 is the standard alphabet with padding (RFC 4648), the CRC is CRC-16/XMODEM of the payload,
 * high byte first. A marker begins a frame wherever it stands; whatever was open before it is
 * dropped. A line without a marker (text, or SMP's 06 09 / 04 14 lines) is skipped; CR before LF is
 * ignored. A frame that is empty, too long, not base64 or has a wrong CRC is dropped with its whole
 * line.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "wire/base64.h"

#define FRAME_MARK_0      0x05
#define FRAME_MARK_1      0x12
#define FRAME_MAX_PAYLOAD 384 /* limits.payload of records.toml */
#define FRAME_CRC_BYTES   2

#define FRAME_PIECE_BYTES 64 /* of a line, which is written in pieces */

typedef enum {
    FRAME_NONE,    /* nothing to do yet */
    FRAME_TAKEN,   /* payload[0 .. length) is a frame, until the next frame_decode() */
    FRAME_DROPPED, /* a frame was damaged */
} frame_event_t;

/* All zero is a decoder between lines. Only payload and length are for the caller. */
typedef struct {
    uint8_t payload[FRAME_MAX_PAYLOAD + FRAME_CRC_BYTES];
    uint16_t length;
    uint8_t state;
    base64_t base64;
} frame_decoder_t;

/* Takes one received byte. */
frame_event_t frame_decode(frame_decoder_t *decoder, uint8_t byte);

/* A line that is being written. All private. */
typedef struct {
    const uint8_t *payload;
    size_t length;
    size_t next; /* byte of payload and CRC; behind them: the line is complete */
    uint16_t crc;
} frame_encoder_t;

/* Begins the line of `payload` (1 <= length <= FRAME_MAX_PAYLOAD), which stays until it is
 * written. */
void frame_begin(frame_encoder_t *encoder, const uint8_t *payload, size_t length);

/* Writes the next piece of the line and returns its length; 0: that was all. */
size_t frame_encode(frame_encoder_t *encoder, uint8_t piece[FRAME_PIECE_BYTES]);

#endif
