/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Bytes on the wire, to the SMP decoder and server of a device in use: any bytes, any messages, and
 * requests that are almost right, in any order, with restarts, power cuts and failing flash
 * between; models are real plans and run. Every answer must be an answer to its request and sound
 * CBOR; at the end the device must take a good image.
 *
 *     geometry | steps ...
 */
#include <string.h>

#include "flash.h"
#include "installed.h"
#include "mgmt/models.h"
#include "mgmt/smp.h"
#include "wire/frame.h"
#include "wire/smp_frame.h"

#define STEPS         32
#define ARENA_BYTES   64u
#define HEADER_BYTES  8u
#define PLAN_BYTES    256u
#define WIRE_BYTES    4096u
#define REQUEST_BYTES (SMP_MESSAGE_BYTES + 64) /* more than a device takes */
#define UNKNOWN       0x7A                     /* a byte that no sound message is changed to */

enum { MAP = 5, LIST = 4, TEXT = 3, BYTES = 2, UINT = 0 };
enum { READ = 0, WRITE = 2 };

/* What is wrong with a request. */
enum {
    DAMAGED = 1,
    OLD_VERSION = 2,
    OPEN_MAP = 4, /* of unknown length, which is allowed */
    STRANGE_MEMBER = 8,
    DAMAGED_WIRE = 16,
    WRONG_LENGTH = 32,
    TEXT_BETWEEN = 64, /* which is allowed */
};

typedef struct {
    uint8_t bytes[REQUEST_BYTES];
    uint32_t length;
    uint8_t how;
    uint32_t members;
} request_t;

static smp_t smp;
static models_t models;
static smp_frame_decoder_t decoder;
static frame_decoder_t other; /* of lines that are not SMP's, on the same wire */
static uint8_t message[SMP_MESSAGE_BYTES];
static _Alignas(16) uint8_t arena[ARENA_BYTES];
static _Alignas(16) uint8_t factory[PLAN_BYTES];
static uint32_t restarts; /* of the device, that the server knows of */
static uint32_t file_sent;

/* ---- the device's side */

static void open_model(update_reason_t why)
{
    infer_t model;
    models_plan_t plan;
    update_end_t end = {.reason = why};
    if (models_open(&models, end, &model, &plan) != INFER_OK) {
        fuzz_fail("no model can be opened, not even the factory's");
    }
    fuzz_say("model %s of slot %u", infer_name(&model), device.update.running[UPDATE_MODEL]);
    infer_invoke(&model);
    device_judge_running(UPDATE_MODEL);
}

/* RAM of the server is lost with all other. */
static void renew_server(void)
{
    if (restarts != device.restarts) {
        restarts = device.restarts;
        smp = (smp_t){.update = &device.update, .accept = models_accept, .context = &models};
        memset(message, 0, sizeof message);
        decoder = (smp_frame_decoder_t){.buffer = message, .size = sizeof message};
        other = (frame_decoder_t){.state = 0};
    }
}

static void start(uint32_t geometry)
{
    models = (models_t){.update = &device.update,
                        .factory = {factory, files_plan(factory, PLAN_VERSION, 'f')},
                        .arena = arena,
                        .arena_bytes = ARENA_BYTES};
    installed_start(geometry);
    device.accept = models_accept;
    device.context = &models;
    device.open_model = open_model;
    device_boot(UPDATE_E_POWER);
    restarts = 0;
    renew_server();
    file_sent = 0;
}

/* Bytes of a CBOR item, or 0 if it is not sound. */
static uint32_t item_bytes(const uint8_t *bytes, uint32_t length, uint32_t depth)
{
    static const uint8_t widths[] = {1, 2, 4, 8};
    uint32_t more = length != 0 ? bytes[0] & 31u : 31u;
    uint32_t at = 1;
    uint64_t value = more;
    if (more >= 24) {
        uint32_t width = more < 28 ? widths[more - 24] : 255;
        if (width > length - 1) {
            return 0;
        }
        for (value = 0; at <= width; at++) {
            value = value << 8 | bytes[at];
        }
    }
    uint32_t type = bytes[0] >> 5;
    uint64_t items = type == MAP ? 2 * value : type == LIST ? value : 0;
    if (type == TEXT || type == BYTES) {
        return value <= length - at ? at + (uint32_t)value : 0;
    }
    for (; items != 0; items--) {
        uint32_t used = depth != 0 ? item_bytes(bytes + at, length - at, depth - 1) : 0;
        if (used == 0) {
            return 0;
        }
        at += used;
    }
    return at;
}

/* The answer, as a client would see it that has the same decoder. */
static void judge_lines(const uint8_t *answer, uint32_t length)
{
    static uint8_t seen[SMP_MESSAGE_BYTES + SMP_FRAME_CRC_BYTES];
    uint8_t line[SMP_FRAME_LINE_BYTES];
    smp_frame_decoder_t client = {.buffer = seen, .size = sizeof seen};
    smp_frame_encoder_t encoder;
    frame_event_t event = FRAME_NONE;
    smp_frame_begin(&encoder, answer, length);
    for (size_t bytes; (bytes = smp_frame_encode(&encoder, line)) != 0;) {
        for (size_t i = 0; i < bytes; i++) {
            event = smp_frame_decode(&client, line[i]);
        }
    }
    if (event != FRAME_TAKEN || client.length != length || memcmp(seen, answer, length) != 0) {
        fuzz_fail("the lines of an answer do not say what the answer says");
    }
}

static void judge_answer(const uint8_t *request, const uint8_t *answer, uint32_t length)
{
    if (length < HEADER_BYTES || length > SMP_MESSAGE_BYTES) {
        fuzz_fail("an answer is too short or too long");
    }
    if (answer[0] != (request[0] | 1) || answer[1] != 0 ||
        memcmp(answer + 4, request + 4, 4) != 0 ||
        (uint32_t)(answer[2] << 8 | answer[3]) != length - HEADER_BYTES) {
        fuzz_fail("an answer has a wrong header");
    }
    if (answer[HEADER_BYTES] >> 5 != MAP ||
        item_bytes(answer + HEADER_BYTES, length - HEADER_BYTES, 4) != length - HEADER_BYTES) {
        fuzz_fail("an answer is no CBOR map");
    }
    fuzz_looking = true;
    judge_lines(answer, length);
    fuzz_looking = false;
}

static void count_answer(const uint8_t *answer, uint32_t length)
{
    static const uint8_t refused[] = {0xA1, 0x62, 'r', 'c'};
    static const uint8_t error[] = {0xA1, 0x63, 'e', 'r', 'r'};
    if (length > 16 && memcmp(answer + 8, error, sizeof error) == 0) {
        device_count(smp.refused);
    } else {
        bool rc = length > 12 && memcmp(answer + 8, refused, sizeof refused) == 0;
        fuzz_count(rc ? "rc" : "answers");
    }
}

static void handle(uint32_t length)
{
    uint8_t header[HEADER_BYTES] = {0};
    memcpy(header, message, length < HEADER_BYTES ? length : HEADER_BYTES);
    uint32_t answer = smp_handle(&smp, message, length);
    if (answer != 0) {
        judge_answer(header, message, answer);
        count_answer(message, answer);
    } else if (length >= HEADER_BYTES && (header[0] & 5) == 0) {
        fuzz_fail("a request gets no answer");
    }
    if (smp.model_turns) {
        smp.model_turns = false;
        open_model(UPDATE_E_RESTART);
    }
    if (smp.restart) {
        smp.restart = false;
        fuzz_say("restart on request");
        device_restart();
        device_boot(UPDATE_E_RESTART);
    }
}

static void receive(const uint8_t *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        if (frame_decode(&other, bytes[i]) == FRAME_TAKEN && other.length > FRAME_MAX_PAYLOAD) {
            fuzz_fail("a frame is too long");
        }
        frame_event_t event = smp_frame_decode(&decoder, bytes[i]);
        if (event == FRAME_TAKEN) {
            handle(decoder.length);
            device_judge();
            renew_server();
        } else if (event == FRAME_DROPPED) {
            fuzz_count("dropped");
        }
    }
}

/* ---- the client's side */

/* What does not fit is left out: then it is no sound CBOR. */
static void put(request_t *request, const void *bytes, uint32_t length)
{
    uint32_t room = (uint32_t)sizeof request->bytes - request->length;
    length = length < room ? length : room;
    memcpy(request->bytes + request->length, bytes, length);
    request->length += length;
}

static void put_head(request_t *request, uint32_t type, uint32_t value)
{
    uint8_t head[] = {(uint8_t)(type << 5 | 26), (uint8_t)(value >> 24), (uint8_t)(value >> 16),
                      (uint8_t)(value >> 8), (uint8_t)value};
    if (value < 24) {
        head[0] = (uint8_t)(type << 5 | value);
    }
    put(request, head, value < 24 ? 1 : sizeof head);
}

static void put_name(request_t *request, const char *name)
{
    put_head(request, TEXT, (uint32_t)strlen(name));
    put(request, name, (uint32_t)strlen(name));
    request->members++;
}

static void put_uint(request_t *request, const char *name, uint32_t value)
{
    put_name(request, name);
    put_head(request, UINT, value);
}

static void put_string(request_t *request, const char *name, uint32_t type, const void *bytes,
                       uint32_t length)
{
    put_name(request, name);
    put_head(request, type, length);
    put(request, bytes, length);
}

static void begin(request_t *request, script_t *script, uint8_t operation, uint8_t group,
                  uint8_t command)
{
    uint8_t how = script_byte(script);
    uint8_t version = (how & OLD_VERSION) != 0 ? 0 : 8;
    uint8_t header[] = {operation | version,
                        0,
                        0,
                        0,
                        0,
                        group,
                        script_byte(script),
                        command,
                        (how & OPEN_MAP) != 0 ? 0xBF : 0xA0};
    *request = (request_t){.how = how};
    put(request, header, sizeof header);
    if ((how & STRANGE_MEMBER) != 0) {
        static const uint8_t strange[] = {0x81, 0xA1, 0x01, 0xC1, 0xF6}; /* [{1: 1(null)}] */
        put_name(request, "strange");
        put(request, strange, sizeof strange);
    }
}

static void send_lines(const request_t *request, script_t *script)
{
    uint8_t wire[WIRE_BYTES];
    uint32_t length = 0;
    smp_frame_encoder_t encoder;
    smp_frame_begin(&encoder, request->bytes, request->length);
    for (size_t bytes; (bytes = smp_frame_encode(&encoder, wire + length)) != 0;) {
        length += (uint32_t)bytes;
        if ((request->how & TEXT_BETWEEN) != 0) {
            memcpy(wire + length, "hello\n", 6);
            length += 6;
        }
    }
    if ((request->how & DAMAGED_WIRE) != 0) {
        wire[script_u16(script) % length] = script_byte(script);
    }
    receive(wire, length);
}

static void send(request_t *request, script_t *script)
{
    if ((request->how & OPEN_MAP) != 0) {
        put(request, "\xFF", 1);
    } else {
        request->bytes[HEADER_BYTES] |= (uint8_t)request->members;
    }
    if ((request->how & DAMAGED) != 0) {
        request->bytes[script_u16(script) % request->length] = script_byte(script);
    }
    uint32_t body = request->length - HEADER_BYTES;
    body += (request->how & WRONG_LENGTH) != 0 ? script_byte(script) : 0;
    request->bytes[2] = (uint8_t)(body >> 8);
    request->bytes[3] = (uint8_t)body;
    send_lines(request, script);
}

static void send_raw_bytes(script_t *script)
{
    uint8_t wire[256];
    uint32_t length = script_byte(script);
    for (uint32_t i = 0; i < length; i++) {
        wire[i] = script_byte(script);
    }
    fuzz_say("%u bytes", length);
    receive(wire, length);
}

static void send_raw_message(script_t *script)
{
    request_t request = {.how = 0};
    uint8_t bytes[256];
    uint32_t length = script_byte(script);
    for (uint32_t i = 0; i < length; i++) {
        bytes[i] = script_byte(script);
    }
    bytes[2] = 0;
    bytes[3] = (uint8_t)(length >= HEADER_BYTES ? length - HEADER_BYTES : 0);
    put(&request, bytes, length != 0 ? length : 1);
    fuzz_say("a message of %u bytes", request.length);
    send_lines(&request, script);
}

static void send_plain(script_t *script)
{
    static const uint8_t plain[][3] = {
        {READ, 1, 0},  {READ, 64, 0}, {READ, 64, 3}, {READ, 0, 6},
        {WRITE, 0, 5}, {READ, 1, 1},  {WRITE, 2, 0},
    };
    request_t request;
    const uint8_t *which = plain[script_below(script, sizeof plain / sizeof *plain)];
    begin(&request, script, which[0], which[1], which[2]);
    fuzz_say("%s %u/%u", which[0] == READ ? "read" : "write", which[1], which[2]);
    send(&request, script);
}

static void send_echo(script_t *script)
{
    static uint8_t text[SMP_MESSAGE_BYTES];
    request_t request;
    memset(text, 'e', sizeof text);
    begin(&request, script, WRITE, 0, 0);
    uint32_t length = 4u * script_byte(script);
    put_string(&request, "d", TEXT, text, length);
    fuzz_say("echo of %u bytes", length);
    send(&request, script);
}

/* Test or confirm an image: of a file, or of nobody. */
static void send_state(script_t *script)
{
    request_t request;
    begin(&request, script, WRITE, 1, 0);
    uint8_t what = script_byte(script);
    uint32_t file = script_below(script, FILES);
    if ((what & 1) == 0) {
        put_string(&request, "hash", BYTES, files_hash(&files[file]), (what & 4) != 0 ? 31 : 32);
    }
    put_name(&request, "confirm");
    put_head(&request, 7, (what & 2) != 0 ? 21 : 20);
    fuzz_say("%s %s", (what & 2) != 0 ? "confirm" : "test",
             (what & 1) == 0 ? files[file].name : "");
    send(&request, script);
}

static void send_first(script_t *script)
{
    request_t request;
    begin(&request, script, WRITE, 1, 1);
    file_sent = script_below(script, FILES);
    const file_t *file = &files[file_sent];
    uint32_t image = script_below(script, 7);
    uint8_t what = script_byte(script);
    uint32_t length = script_byte(script);
    put_uint(&request, "len", (what & 1) != 0 ? script_u32(script) : file->length);
    put_uint(&request, "off", 0);
    if ((what & 2) == 0) {
        put_string(&request, "sha", BYTES, file->sha, (what & 4) != 0 ? 20 : 32);
    }
    put_string(&request, "data", BYTES, file->bytes, length < file->length ? length : file->length);
    if ((what & 8) == 0) {
        put_uint(&request, "image", image);
    }
    fuzz_say("upload %s, image %u, %u bytes", file->name, image, length);
    send(&request, script);
}

static void send_more(script_t *script)
{
    request_t request;
    begin(&request, script, WRITE, 1, 1);
    const file_t *file = &files[file_sent];
    uint8_t what = script_byte(script);
    uint32_t offset = smp.upload.offset;
    offset += (what & 1) != 0 ? script_byte(script) - 128u : 0;
    uint32_t left = offset < file->length ? file->length - offset : 0;
    uint32_t length = (what & 2) != 0 ? 4u * script_byte(script) : left;
    length = length < left ? length : left;
    length = length < 900 ? length : 900;
    uint32_t from = offset < file->length ? offset : 0;
    put_uint(&request, "off", offset);
    put_string(&request, "data", BYTES, file->bytes + from, length);
    fuzz_say("%u more bytes at %u", length, offset);
    send(&request, script);
}

static void send_number(script_t *script)
{
    request_t request;
    uint8_t what = script_byte(script);
    bool is_erase = (what & 1) != 0;
    begin(&request, script, is_erase ? WRITE : READ, is_erase ? 1 : 64, is_erase ? 5 : 1);
    uint32_t number = (what & 2) != 0 ? script_u32(script) : script_byte(script) % 8;
    put_uint(&request, is_erase ? "slot" : "from", number);
    fuzz_say("%s %u", is_erase ? "erase slot" : "events from", number);
    send(&request, script);
}

static void send_end(script_t *script)
{
    request_t request;
    begin(&request, script, WRITE, 64, 2);
    uint32_t component = script_below(script, 3);
    uint32_t reason = UPDATE_E_SELF_TEST - 1 + script_below(script, 5);
    put_uint(&request, "component", component);
    put_uint(&request, "reason", reason);
    fuzz_say("end the trial of %u, reason %u", component, reason);
    send(&request, script);
}

static void step(script_t *script)
{
    static void (*const steps[])(script_t *) = {
        send_raw_bytes, send_raw_message, send_plain, send_echo,   send_state,
        send_state,     send_first,       send_first, send_more,   send_more,
        send_more,      send_number,      send_end,   device_step, device_step,
    };
    steps[script_below(script, sizeof steps / sizeof *steps)](script);
}

const bool fuzz_offsets = false;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    script_t script = {bytes, size};
    uint8_t first = script_byte(&script);
    start(first);
    for (uint32_t i = 0; i < STEPS && script.left != 0; i++) {
        step(&script);
        device_judge();
        renew_server();
        if (device.update.running[UPDATE_FIRMWARE] == UPDATE_NO_SLOT) {
            fuzz_fail("the device does not start");
        }
    }
    device_must_recover(first < 128 ? UPDATE_FIRMWARE : UPDATE_MODEL);
    return 0;
}
