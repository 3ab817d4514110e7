/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See console.h.
 */
#include "app/console.h"

#include "app/updates.h"
#include "hal/uart.h"
#include "wire/frame.h"

_Static_assert(FRAME_MAX_PAYLOAD == WIRE_MAX_PAYLOAD, "frame.h and records.toml disagree");

static frame_decoder_t decoder;
static wire_counters_t counters;

void console_put(uint8_t byte)
{
    ring_put(&updates_ring, byte);
}

/* A frame whose payload is no request of this schema counts as dropped, like a damaged one. */
static bool take_frame(wire_request_t *request)
{
    if (!wire_decode_request(decoder.payload, decoder.length, request)) {
        counters.dropped++;
        return false;
    }
    counters.frames++;
    return true;
}

bool console_receive(wire_request_t *request)
{
    uint8_t byte;
    while (ring_take(&updates_ring, &byte)) {
        updates_receive(byte);
        frame_event_t event = frame_decode(&decoder, byte);
        if (event == FRAME_DROPPED) {
            counters.dropped++;
        } else if (event == FRAME_TAKEN && take_frame(request)) {
            return true;
        }
    }
    return false;
}

void console_send(const uint8_t *payload, size_t length)
{
    uint8_t piece[FRAME_PIECE_BYTES];
    frame_encoder_t encoder;
    if (length == 0) {
        return;
    }
    frame_begin(&encoder, payload, length);
    for (size_t bytes; (bytes = frame_encode(&encoder, piece)) != 0;) {
        uart_write(piece, bytes);
    }
}

void console_print(text_t *text)
{
    text_end(text);
    uart_write(text->bytes, text->length);
}

wire_counters_t console_counters(void)
{
    counters.overrun = ring_lost(&updates_ring);
    return counters;
}
