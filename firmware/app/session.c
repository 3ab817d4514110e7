/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See session.h.
 */
#include "app/session.h"

#include <stdbool.h>
#include <string.h>

#include "app/console.h"
#include "app/report.h"
#include "app/updates.h"
#include "core/crc32.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "infer/infer.h"

#define NAME_BYTES_MAX    32
#define ENGINE_BYTES_MAX  8
#define MESSAGE_BYTES_MAX 96
#define RESULT_DATA_MAX   64
#define OUTPUT_DATA_MAX   256

static struct {
    infer_t model;
    infer_status_t status; /* of the plan */
    const uint8_t *plan;
    uint32_t plan_bytes;
    uint32_t plan_crc;
    uint32_t opened;
    bool has_outputs;  /* no input has been written since the last run */
    bool has_result;   /* a window has run since the model's state was reset */
    uint32_t runs;     /* how many have */
    uint32_t last_crc; /* of the inputs of last_result */
    wire_result_t last_result;
    uint8_t last_data[RESULT_DATA_MAX];
} session;

static uint8_t payload[WIRE_MAX_PAYLOAD];

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* At most `limit` bytes, cut between two characters: a UTF-8 character goes on with 10xxxxxx. */
static wire_bytes_t text_of(const char *string, uint32_t limit)
{
    const uint8_t *text = (const uint8_t *)(string != NULL ? string : "");
    uint32_t length = smaller((uint32_t)strlen((const char *)text), limit);
    while (length != 0 && (text[length] & 0xC0) == 0x80) {
        length--;
    }
    return (wire_bytes_t){text, length};
}

/* What the model needs, only if it was accepted. */
static void describe_model(wire_hello_t *hello)
{
    const plan_header_t *plan = session.model.plan;
    hello->model = text_of(infer_name(&session.model), NAME_BYTES_MAX);
    hello->arena_bytes = plan->arena_bytes;
    for (uint32_t i = 0; i < plan->n_inputs; i++) {
        hello->input_bytes += infer_input_bytes(&session.model, i);
    }
    for (uint32_t i = 0; i < plan->n_outputs; i++) {
        hello->output_bytes += infer_output_bytes(&session.model, i);
    }
}

static void say_hello(uint32_t seq)
{
    wire_hello_t hello = {
        .seq = seq,
        .schema = WIRE_SCHEMA_HASH,
        .board = text_of(board.name, NAME_BYTES_MAX),
        .model = text_of(NULL, 0),
        .plan_crc = session.plan_crc,
        .plan_status = session.status,
        .timer_hz = board.timer_hz,
        .engine = text_of(infer_engine(), ENGINE_BYTES_MAX),
        .message = text_of(infer_message(), MESSAGE_BYTES_MAX),
    };
    if (session.status == INFER_OK) {
        describe_model(&hello);
    }
    console_send(payload, wire_encode_hello(&hello, payload, sizeof payload));
}

void session_acknowledge(uint32_t seq, uint32_t status)
{
    wire_ack_t ack = {.seq = seq, .status = status};
    console_send(payload, wire_encode_ack(&ack, payload, sizeof payload));
}

/* True if [offset, offset + length) lies within `size` bytes. */
static bool in_range(uint32_t offset, uint32_t length, uint32_t size)
{
    return length <= size && offset <= size - length;
}

static uint32_t write_input(const wire_input_t *request)
{
    if (session.status != INFER_OK) {
        return WIRE_NO_MODEL;
    }
    uint8_t *input = infer_input(&session.model, request->index);
    uint32_t size = infer_input_bytes(&session.model, request->index);
    if (input == NULL || !in_range(request->offset, request->data.length, size)) {
        return WIRE_BAD_REQUEST;
    }
    memcpy(input + request->offset, request->data.bytes, request->data.length);
    session.has_outputs = false;
    return WIRE_OK;
}

static uint32_t inputs_crc(void)
{
    uint32_t crc = 0;
    for (uint32_t i = 0; i < session.model.plan->n_inputs; i++) {
        crc =
            crc32_update(crc, infer_input(&session.model, i), infer_input_bytes(&session.model, i));
    }
    return crc;
}

static void take_outputs(wire_result_t *result)
{
    result->best = report_best(&session.model);
    uint32_t length = smaller(infer_output_bytes(&session.model, 0), RESULT_DATA_MAX);
    memcpy(session.last_data, infer_output(&session.model, 0), length);
    result->data = (wire_bytes_t){session.last_data, length};
    session.runs++;
    result->runs = session.runs;
}

static infer_status_t infer(wire_result_t *result)
{
    uint32_t start = clock_ticks();
    infer_status_t status = infer_invoke(&session.model);
    result->ticks = clock_ticks() - start;
    result->stack = cpu_stack_used();
    result->status = status == INFER_OK ? WIRE_OK : WIRE_FAILED;
    session.has_outputs = status == INFER_OK;
    if (session.has_outputs) {
        take_outputs(result);
    }
    return status;
}

static void send_result(const wire_result_t *result)
{
    console_send(payload, wire_encode_result(result, payload, sizeof payload));
}

static void refuse_run(const wire_run_t *request, uint32_t status)
{
    wire_result_t result = {.seq = request->seq, .status = status, .window = request->window};
    send_result(&result);
}

static void report(const wire_result_t *result, infer_status_t status)
{
    text_t text = {0};
    if (status == INFER_OK) {
        report_inference(&text, &session.model, result->window, result->best);
    } else {
        report_failure(&text, "inference failed", status);
    }
    console_print(&text);
    wire_counters_t counters = console_counters();
    console_send(payload, wire_encode_counters(&counters, payload, sizeof payload));
}

/* The state of a model may only advance once for a window, however often it is asked for. */
static bool is_repeated(const wire_run_t *request)
{
    return session.has_result && request->window == session.last_result.window &&
           request->crc == session.last_crc;
}

static void repeat_result(const wire_run_t *request)
{
    session.last_result.seq = request->seq;
    send_result(&session.last_result);
}

static void run_window(const wire_run_t *request)
{
    session.has_result = true;
    session.last_crc = request->crc;
    session.last_result = (wire_result_t){.seq = request->seq, .window = request->window};
    infer_status_t status = infer(&session.last_result);
    send_result(&session.last_result);
    report(&session.last_result, status);
}

static void run(const wire_run_t *request)
{
    if (session.status != INFER_OK) {
        refuse_run(request, WIRE_NO_MODEL);
    } else if (is_repeated(request)) {
        repeat_result(request);
    } else if (inputs_crc() != request->crc) {
        refuse_run(request, WIRE_STALE_INPUT);
    } else {
        run_window(request);
    }
}

/* The part of an output that is asked for, or the reason why there is none. */
static uint32_t find_output(const wire_read_t *request, wire_bytes_t *data)
{
    if (session.status != INFER_OK) {
        return WIRE_NO_MODEL;
    }
    const uint8_t *output = infer_output(&session.model, request->index);
    uint32_t size = infer_output_bytes(&session.model, request->index);
    if (!session.has_outputs || output == NULL || request->offset > size) {
        return WIRE_BAD_REQUEST;
    }
    uint32_t length = smaller(smaller(request->length, OUTPUT_DATA_MAX), size - request->offset);
    *data = (wire_bytes_t){output + request->offset, length};
    return WIRE_OK;
}

static void read_output(const wire_read_t *request)
{
    wire_output_t output = {
        .seq = request->seq, .index = request->index, .offset = request->offset};
    output.status = find_output(request, &output.data);
    console_send(payload, wire_encode_output(&output, payload, sizeof payload));
}

static uint32_t reset_state(void)
{
    if (session.status != INFER_OK) {
        return WIRE_NO_MODEL;
    }
    infer_reset(&session.model);
    session.has_result = false;
    session.has_outputs = false;
    session.runs = 0;
    return WIRE_OK;
}

static void tell_refused(void)
{
    text_t text = {0};
    report_failure(&text, "model refused", session.status);
    console_print(&text);
}

void session_start(void)
{
    session.status = updates_open(&session.model, &session.plan, &session.plan_bytes);
    if (session.status != INFER_OK) {
        tell_refused();
    }
    session.plan_crc = crc32_update(0, session.plan, session.plan_bytes);
    session.opened++;
    reset_state();
    say_hello(0);
}

infer_t *session_model(void)
{
    return session.status == INFER_OK ? &session.model : NULL;
}

infer_status_t session_status(void)
{
    return session.status;
}

uint32_t session_plan_crc(void)
{
    return session.plan_crc;
}

uint32_t session_opened(void)
{
    return session.opened;
}

void session_handle(const wire_request_t *request)
{
    switch (request->id) {
    case WIRE_ID_PING:
        say_hello(request->ping.seq);
        break;
    case WIRE_ID_INPUT:
        session_acknowledge(request->input.seq, write_input(&request->input));
        break;
    case WIRE_ID_RUN:
        run(&request->run);
        break;
    case WIRE_ID_READ:
        read_output(&request->read);
        break;
    case WIRE_ID_RESET:
        session_acknowledge(request->reset.seq, reset_state());
        break;
    default:
        break;
    }
}
