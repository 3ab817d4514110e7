/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Messages of the Simple Management Protocol as lines of ASCII, as MCUmgr sends them over a serial
 * port. A message takes one line or several:
 *
 *     06 09   base64   0A         the first
 *     04 14   base64   0A         each further one
 *
 * The digits of all lines together are
 *
 *     u16 length | message | u16 CRC          big endian; length = message + 2, CRC-16/XMODEM
 *
 * and those of each line end with a group of four. A marker counts wherever it stands. Lines of
 * other kinds (text, or the frames of frame.h) may stand between those of a message. A message is
 * dropped when a first line comes before it is complete, when it is longer than its length or the
 * buffer, shorter than a byte, not base64, or when its CRC is wrong.
 */
#ifndef WIRE_SMP_FRAME_H
#define WIRE_SMP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/base64.h"
#include "wire/frame.h"

#define SMP_FRAME_LINE_BYTES 127 /* of the lines that are written, marker and LF among them */
#define SMP_FRAME_LINE_FRAME 93  /* bytes that such a line carries */
#define SMP_FRAME_CRC_BYTES  2

/* A message that has so many bytes with its length and CRC has lines that fit into n bytes. */
#define SMP_FRAME_FITS(n) ((n) / SMP_FRAME_LINE_BYTES * SMP_FRAME_LINE_FRAME)

/* A decoder between lines has buffer and size set, by the caller, all else zero. */
typedef struct {
    uint8_t *buffer; /* the message when it is complete; its CRC behind it */
    uint32_t size;   /* of the buffer */
    uint32_t length; /* of the complete message */
    /* Private. */
    uint32_t expected; /* message + CRC, as the first two bytes say */
    uint32_t received; /* bytes of the message's frame so far */
    bool open;         /* the message waits for bytes */
    uint8_t state;
    base64_t base64;
} smp_frame_decoder_t;

/* Takes one received byte. FRAME_TAKEN: buffer[0 .. length) is a message, until the next call with
 * anything but the rest of it; the caller may use the buffer until then. */
frame_event_t smp_frame_decode(smp_frame_decoder_t *decoder, uint8_t byte);

/* Private. */
typedef struct {
    const uint8_t *message;
    uint32_t length;
    uint32_t next; /* byte of the frame that is written next */
    uint16_t crc;
} smp_frame_encoder_t;

/* Begins the lines of `message` (1 to 65533 bytes), which stays until they are written. */
void smp_frame_begin(smp_frame_encoder_t *encoder, const uint8_t *message, uint32_t length);

/* Writes the next line and returns its length, at most SMP_FRAME_LINE_BYTES; 0: that was all. */
size_t smp_frame_encode(smp_frame_encoder_t *encoder, uint8_t *line);

#endif
