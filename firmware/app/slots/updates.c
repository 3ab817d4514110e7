/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * app/updates.h for firmware in a slot.
 */
#include "app/updates.h"

#include "app/console.h"
#include "app/model.h"
#include "app/report.h"
#include "app/session.h"
#include "gen/board_config.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/flash.h"
#include "hal/uart.h"
#include "hal/watchdog.h"
#include "mgmt/models.h"
#include "mgmt/smp.h"
#include "update/end.h"
#include "wire/smp_frame.h"

/* Of a request with its length and CRC, so that all its lines have room in the ring. */
#define REQUEST_BYTES                                                                              \
    (SMP_FRAME_FITS(BOARD_SLOTS_RECEIVE) < SMP_MESSAGE_BYTES ? SMP_FRAME_FITS(BOARD_SLOTS_RECEIVE) \
                                                             : SMP_MESSAGE_BYTES)

#define BUSY_SECONDS     1  /* after a request */
#define DRAIN_PER_SECOND 50 /* 20 ms: some bytes of the slowest UART */

static uint8_t received[BOARD_SLOTS_RECEIVE];
ring_t updates_ring = {.bytes = received, .size = sizeof received};

static handoff_t handoff;
static update_t update;
static models_t models;
static smp_t smp;
static uint8_t message[SMP_MESSAGE_BYTES]; /* a request, then its response */
static bool was_asked;                     /* ever */
static uint32_t asked;                     /* clock ticks of the last request */
static smp_frame_decoder_t decoder = {.buffer = message, .size = sizeof message};

static bool is_in_slot(void)
{
    return handoff.slot < UPDATE_FIRMWARE_SLOTS;
}

static void print_failure(const char *what, infer_status_t status)
{
    text_t text = {0};
    report_failure(&text, what, status);
    console_print(&text);
}

static void print_unusable(infer_status_t status)
{
    print_failure("model unusable", status);
}

restart_t updates_start(void)
{
    flash_start();
    if (!handoff_take(&handoff)) {
        handoff = (handoff_t){.restart = restart_take(), .slot = UPDATE_NO_SLOT};
    }
    update_open(&update, &update_layout, &update_key);
    update.running[UPDATE_FIRMWARE] = is_in_slot() ? handoff.slot : UPDATE_NO_SLOT;
    models = (models_t){
        .update = &update,
        .factory = {.bytes = torpor_plan, .length = torpor_plan_length},
        .arena = model_arena,
        .arena_bytes = model_arena_bytes,
        .on_failure = print_unusable,
    };
    smp = (smp_t){.update = &update,
                  .request_bytes = REQUEST_BYTES,
                  .accept = models_accept,
                  .context = &models};
    return handoff.restart;
}

/* ---- the banner */

static void append_version(text_t *text, const image_version_t *version)
{
    text_uint(text, version->major);
    text_string(text, ".");
    text_uint(text, version->minor);
    text_string(text, ".");
    text_uint(text, version->revision);
}

static void append_slot(text_t *text, uint32_t slot, const image_version_t *version)
{
    static const char *const names[UPDATE_SLOTS] = {", slot A ", ", slot B ", ", model slot 0 ",
                                                    ", model slot 1 ", ", model slot 2 "};
    text_string(text, names[slot]);
    append_version(text, version);
}

static void append_running(text_t *text)
{
    image_t image;
    if (is_in_slot() && image_parse(&update_layout, handoff.slot, &image) == UPDATE_OK) {
        append_slot(text, handoff.slot, &image.version);
        text_string(text, handoff.trial ? " on trial" : "");
    }
}

/* If the newest event is a trial that has ended badly. */
static void append_reverted(text_t *text)
{
    journal_record_t record;
    uint32_t next = journal_next_event(&update.journal);
    if (next != 0 && journal_event(&update.journal, next - 1, &record) &&
        record.kind == JOURNAL_REVERTED && record.slot < UPDATE_SLOTS) {
        append_slot(text, record.slot, &record.version);
        text_string(text, " reverted for reason ");
        text_uint(text, record.reason);
    }
}

void updates_describe(text_t *text)
{
    append_running(text);
    text_string(text, update_key.development ? ", development key" : "");
    append_reverted(text);
}

/* ---- trials */

/* What was sent is given the time to leave the UART. */
static _Noreturn void restart(update_reason_t reason)
{
    uint32_t start = clock_ticks();
    while (clock_ticks() - start < board.timer_hz / DRAIN_PER_SECOND) {
    }
    restart_note((uint32_t)reason, 0, 0, 0);
    cpu_reset();
}

static infer_status_t test_factory(void)
{
    infer_t model;
    models_plan_t plan;
    infer_status_t status = models_open_factory(&models, &model, &plan);
    return status == INFER_OK ? models_test(&model) : status;
}

/* Firmware that the confirmed model crashes or hangs would do so at every start, where nobody can
 * reach it. So it does that now, on trial, or not at all; what else becomes of it is no verdict. */
static void survive_model(void)
{
    infer_t model;
    image_t image;
    watchdog_feed();
    if (update_check(&update, update.state[UPDATE_MODEL].confirmed, models_accept, &models,
                     &image) == UPDATE_OK &&
        infer_init(&model, image.payload, image.payload_bytes, model_arena, model_arena_bytes) ==
            INFER_OK) {
        (void)models_test(&model);
    }
}

/* Ends the trial. Returns if there is none to end: this firmware was rejected before and runs
 * because there is no other. Then it stays where somebody can send another one. */
static void give_up(update_reason_t why)
{
    const update_end_t end = {.reason = why};
    if (update_reject(&update, UPDATE_FIRMWARE, end) != UPDATE_E_NOTHING) {
        restart(UPDATE_E_SELF_TEST);
    }
    watchdog_stop();
}

/* Where the end of a trial cannot be written down the device goes on, or restarts, all the same:
 * then the attempts count. */
void updates_test(void)
{
    if (!handoff.trial) {
        return;
    }
    infer_status_t status = test_factory();
    if (status != INFER_OK) {
        print_failure("self-test failed", status);
        give_up(UPDATE_E_SELF_TEST);
        return;
    }
    survive_model();
    update_reason_t reason = update_confirm(&update, UPDATE_FIRMWARE);
    if (reason != UPDATE_OK && reason != UPDATE_E_FLASH) {
        give_up(reason); /* the bootloader's key is not the one that is built in here, say */
        return;
    }
    watchdog_stop();
}

/* How the run before ended, for the first choice of a model; the later ones of this run follow no
 * end at all. */
static update_end_t take_end(void)
{
    static bool taken;
    const restart_t *last = &handoff.restart;
    update_end_t end = taken ? (update_end_t){.reason = UPDATE_OK}
                             : update_end(last->kept, last->reason, last->pc, last->lr);
    taken = true;
    return end;
}

/* A model on trial gets the time that firmware has. */
infer_status_t updates_open(infer_t *model, const uint8_t **plan, uint32_t *length)
{
    models_plan_t found;
    bool guarded = update.state[UPDATE_MODEL].trial != UPDATE_NO_SLOT && board.trial_ms != 0;
    if (guarded) {
        watchdog_start(board.trial_ms);
    }
    infer_status_t status = models_open(&models, take_end(), model, &found);
    if (guarded) {
        watchdog_stop();
    }
    *plan = found.bytes;
    *length = found.length;
    return status;
}

/* ---- management */

static void send(uint32_t length)
{
    uint8_t line[SMP_FRAME_LINE_BYTES];
    smp_frame_encoder_t encoder;
    smp_frame_begin(&encoder, message, length);
    for (size_t bytes; (bytes = smp_frame_encode(&encoder, line)) != 0;) {
        uart_write(line, bytes);
    }
}

static bool is_unconfirmed(void)
{
    uint8_t slot = update.running[UPDATE_FIRMWARE];
    return slot != UPDATE_NO_SLOT && slot == update.state[UPDATE_FIRMWARE].trial;
}

void updates_receive(uint8_t byte)
{
    if (smp_frame_decode(&decoder, byte) != FRAME_TAKEN) {
        return;
    }
    was_asked = true;
    asked = clock_ticks();
    uint32_t length = smp_handle(&smp, message, decoder.length);
    if (length != 0) {
        send(length);
    }
    if (smp.restart) {
        restart(is_unconfirmed() ? UPDATE_E_RESTART : UPDATE_OK);
    }
    if (smp.model_turns) {
        smp.model_turns = false;
        session_start();
    }
}

bool updates_has_flash(void)
{
    return true;
}

/* The clock wraps: what was long ago is forgotten when it is found out. */
bool updates_busy(void)
{
    was_asked = was_asked && clock_ticks() - asked < BUSY_SECONDS * board.timer_hz;
    return was_asked;
}

static void append_slot_version(text_t *text, uint32_t slot)
{
    image_t image;
    if (slot != UPDATE_NO_SLOT && image_parse(&update_layout, slot, &image) == UPDATE_OK) {
        append_version(text, &image.version);
    }
}

void updates_versions(text_t *firmware, text_t *model)
{
    append_slot_version(firmware, update.running[UPDATE_FIRMWARE]);
    append_slot_version(model, update.running[UPDATE_MODEL]);
}

void updates_progress(void)
{
    watchdog_feed();
}
