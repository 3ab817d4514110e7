/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The firmware that a product ships: it sleeps until a block of the sensor, a request or a pin
 * wakes it; stage 1 decides whether the model has to look; it says what it found, and sleeps again.
 */
#include "app/console.h"
#include "app/session.h"
#include "app/start.h"
#include "app/updates.h"
#include "app/wake/account.h"
#include "app/wake/config.h"
#include "app/wake/health.h"
#include "app/wake/keep.h"
#include "app/wake/look.h"
#include "app/wake/requests.h"
#include "app/wake/steps.h"
#include "app/wake/tell.h"
#include "core/loop.h"
#include "core/timers.h"
#include "drivers/replay/replay.h"
#include "drivers/sensor.h"
#include "hal/alarm.h"
#include "hal/board.h"
#include "hal/clock.h"
#include "hal/cpu.h"
#include "hal/pin.h"
#include "hal/trace.h"
#include "hal/uart.h"

enum { EVENT_BLOCK, EVENT_ALARM, EVENT_RECEIVED, EVENT_PIN };
enum { TIMER_NEED = SENSOR_TIMER + 1, TIMER_HOLD, TIMER_HEALTH, TIMER_QUIET };

#define HOLD_SECONDS  5u  /* that the model is the host's after its last request */
#define QUIET_SECONDS 10u /* without a byte, after which nobody is listened to so closely */

static timers_t timers;
static uint32_t opened; /* session_opened() at the last look */
static bool quiet;      /* nobody talks to us: what comes over the wire may wake us late */

static uint64_t now(void)
{
    return timers_now(&timers, clock_ticks());
}

static void in_seconds(uint32_t id, uint32_t seconds)
{
    timers_set(&timers, id, now() + (uint64_t)seconds * board.timer_hz);
}

/* ---- events */

static void take_up_model(void)
{
    if (opened != session_opened()) {
        opened = session_opened();
        trace_note(STEP_MODEL, (uint16_t)session_status());
        look_start();
        look_about();
        health_start();
    }
}

static void on_block(void)
{
    account(STATE_CAPTURE);
    look_at_blocks();
    if (requests_need(false)) {
        in_seconds(TIMER_NEED, 1);
    }
    if (sensor_ended()) {
        look_end();
    }
}

/* A host that gives the model inputs of its own wants to find its states as it left them. */
static void hold_for(const wire_request_t *request)
{
    if (request->id == WIRE_ID_INPUT || request->id == WIRE_ID_RUN ||
        request->id == WIRE_ID_RESET) {
        look_hold();
        in_seconds(TIMER_HOLD, HOLD_SECONDS);
    }
}

static void on_received(void)
{
    wire_request_t request;
    account(STATE_SERIAL);
    quiet = false;
    in_seconds(TIMER_QUIET, QUIET_SECONDS);
    while (console_receive(&request)) {
        if (requests_handle(&request)) {
            on_block();
        } else {
            hold_for(&request);
            session_handle(&request);
        }
        account(STATE_SERIAL);
    }
    take_up_model();
}

static void on_pin(void)
{
    look_command(WAKE_PIN, wake_config.duty.timer_windows);
}

static void on_timer(uint32_t id, uint64_t time)
{
    switch (id) {
    case SENSOR_TIMER:
        sensor_on_timer(time);
        break;
    case TIMER_NEED:
        if (requests_need(true)) {
            in_seconds(TIMER_NEED, 1);
        }
        break;
    case TIMER_HOLD:
        look_release();
        break;
    case TIMER_QUIET:
        quiet = true;
        break;
    default:
        health_look(look_blocks(), sensor_ended() || requests_need(false));
        timers_set(&timers, TIMER_HEALTH, time + health_period());
        break;
    }
}

/* Whatever else was done may have set a timer: it is looked at before each sleep. So an alarm has
 * no handler of its own. */
static void look_at_timers(void)
{
    uint32_t id;
    uint64_t time = now();
    while (timers_take(&timers, time, &id)) {
        on_timer(id, time);
    }
    alarm_set(timers_next(&timers, time));
}

static loop_t loop = {
    .handlers =
        {
            [EVENT_BLOCK] = on_block,
            [EVENT_RECEIVED] = on_received,
            [EVENT_PIN] = on_pin,
        },
};

void sensor_on_block(void)
{
    loop_post(&loop, EVENT_BLOCK);
}

void alarm_on_ring(void)
{
    loop_post(&loop, EVENT_ALARM);
}

void uart_on_receive(uint8_t byte)
{
    console_put(byte);
    loop_post(&loop, EVENT_RECEIVED);
}

void pin_on_edge(void)
{
    loop_post(&loop, EVENT_PIN);
}

/* ---- the device */

static void begin(void)
{
    restart_t restart = start();
    session_start();
    keep_start();
    tell_restarted(&restart);
    take_up_model();
    uint32_t bytes = 0;
    const void *scene = board_scene(&bytes);
    replay_source(scene, bytes);
    (void)sensor_start(&wake_config.format, &timers, board.timer_hz, now());
    if (requests_need(true)) {
        in_seconds(TIMER_NEED, 1);
    }
    if (health_period() != 0) {
        timers_set(&timers, TIMER_HEALTH, now() + health_period());
    }
    in_seconds(TIMER_QUIET, QUIET_SECONDS);
    pin_start();
}

/* Works while there is something to do, then sleeps until an interrupt. */
static void step(void)
{
    account(STATE_CAPTURE);
    loop_dispatch(&loop);
    look_at_timers();
    account(STATE_SLEEP);
    if (quiet) {
        start_sleep_deep(&loop);
    } else {
        start_sleep(&loop);
    }
}

int main(void)
{
    begin();
    for (;;) {
        step();
    }
}
