/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See requests.h.
 */
#include "app/wake/requests.h"

#include "app/wake/config.h"
#include "app/wake/keep.h"
#include "app/wake/look.h"
#include "app/wake/steps.h"
#include "app/wake/tell.h"
#include "drivers/replay/replay.h"
#include "hal/trace.h"

enum { ASK_ABOUT, ASK_SUMMARY, ASK_RESTARTED, ASK_NEED };

bool requests_need(bool again)
{
    static uint32_t asked_from = UINT32_MAX;
    uint32_t from;
    uint32_t count;
    if (!replay_wants(&from, &count)) {
        return false;
    }
    if (again || from != asked_from) {
        tell_need(from, count);
    }
    asked_from = from;
    return true;
}

static uint32_t answer_ask(uint32_t what)
{
    switch (what) {
    case ASK_ABOUT:
        look_about();
        return WIRE_OK;
    case ASK_SUMMARY:
        look_summary(false);
        return WIRE_OK;
    case ASK_RESTARTED:
        tell_restarted_again();
        return WIRE_OK;
    case ASK_NEED:
        if (!requests_need(true)) {
            look_tell_end();
        }
        return WIRE_OK;
    default:
        return WIRE_BAD_REQUEST;
    }
}

static uint32_t trigger(const wire_trigger_t *request)
{
    if (request->windows == 0 || request->windows > UINT16_MAX) {
        return WIRE_BAD_REQUEST;
    }
    look_command(WAKE_COMMAND, (uint16_t)request->windows);
    return WIRE_OK;
}

static uint32_t environment(const wire_environment_t *request)
{
    if (request->temperature < INT16_MIN || request->temperature > INT16_MAX ||
        request->battery > UINT16_MAX) {
        return WIRE_BAD_REQUEST;
    }
    look_environment((policy_input_t){.temperature = (int16_t)request->temperature,
                                      .battery = (uint16_t)request->battery});
    return WIRE_OK;
}

/* A repeated frame is no error: its answer was lost. */
static uint32_t scene(const wire_scene_t *request)
{
    uint32_t size = 2u * wake_config.format.axes;
    if (request->data.length % size != 0) {
        return WIRE_BAD_REQUEST;
    }
    bool is_new = replay_give(request->start, request->data.bytes, request->data.length / size);
    return is_new ? WIRE_OK : WIRE_STALE_INPUT;
}

bool requests_handle(const wire_request_t *request)
{
    trace_note(STEP_REQUEST, (uint16_t)request->id);
    switch (request->id) {
    case WIRE_ID_ASK:
        tell_acknowledge(request->ask.seq, answer_ask(request->ask.what));
        return true;
    case WIRE_ID_TRIGGER:
        tell_acknowledge(request->trigger.seq, trigger(&request->trigger));
        return true;
    case WIRE_ID_ENVIRONMENT:
        tell_acknowledge(request->environment.seq, environment(&request->environment));
        return true;
    case WIRE_ID_SCENE:
        tell_acknowledge(request->scene.seq, scene(&request->scene));
        return true;
    case WIRE_ID_FETCH:
        keep_answer(&request->fetch);
        return true;
    default:
        return false;
    }
}
