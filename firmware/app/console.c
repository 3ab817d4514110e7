/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See console.h.
 */
#include "app/console.h"

#include "app/updates.h"
#include "core/ring.h"
#include "hal/uart.h"
#include "wire/frame.h"

_Static_assert(FRAME_MAX_PAYLOAD == WIRE_MAX_PAYLOAD, "frame.h and records.toml disagree");

static ring_t received;
static frame_decoder_t decoder;
static wire_counters_t counters;

void console_put(uint8_t byte)
{
    ring_put(&received, byte);
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
    while (ring_take(&received, &byte)) {
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
    static uint8_t line[FRAME_LINE_BYTES(FRAME_MAX_PAYLOAD)];
    if (length != 0) {
        uart_write(line, frame_encode(payload, length, line));
    }
}

void console_print(text_t *text)
{
    text_end(text);
    uart_write(text->bytes, text->length);
}

wire_counters_t console_counters(void)
{
    counters.overrun = ring_lost(&received);
    return counters;
}
