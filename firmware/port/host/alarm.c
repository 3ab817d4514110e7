/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/alarm.h with a timer of Linux, on the clock that hal/clock.h reads.
 */
#include "hal/alarm.h"

#include <stdbool.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "gen/board_config.h"
#include "hal/clock.h"
#include "port/host/host.h"

#define TICK_NS (1000000000u / BOARD_TIMER_HZ)

static int timer = -1;

/* A timer that has rung can be read, once. */
static void take_alarm(void)
{
    uint64_t times;
    if (read(timer, &times, sizeof times) == sizeof times) {
        alarm_on_ring();
    }
}

static void open_timer(void)
{
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0) {
        host_fail("timer");
    }
    host_listen(timer, take_alarm);
}

/* `nanoseconds` from now; 0 is never. Setting it forgets that it has rung. */
static void set_timer(uint64_t nanoseconds)
{
    const struct itimerspec value = {
        .it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000u),
                     .tv_nsec = (long)(nanoseconds % 1000000000u)},
    };
    if (timerfd_settime(timer, 0, &value, NULL) != 0) {
        host_fail("timer");
    }
}

void alarm_set(uint32_t ticks)
{
    if (timer < 0) {
        open_timer();
    }
    int32_t ahead = (int32_t)(ticks - clock_ticks());
    set_timer(ahead > 0 ? (uint64_t)ahead * TICK_NS : 1);
}

void alarm_cancel(void)
{
    if (timer >= 0) {
        set_timer(0);
    }
}
