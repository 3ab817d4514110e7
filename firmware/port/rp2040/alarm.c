/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/alarm.h with the first of the four alarms of TIMER (RP2040 Datasheet, 4.6), which is the
 * clock as well.
 */
#include "hal/alarm.h"

#include "hal/clock.h"
#include "port/rp2040/rp2040.h"

#define ALARM (1u << ALARM_OF_CLOCK)

static volatile bool is_set;

/* The interrupt is down before it is forgotten. */
static void forget(void)
{
    TIMER_INTE(CLEAR) = ALARM;
    TIMER_ARMED = ALARM;
    TIMER_INTR = ALARM;
    (void)TIMER_INTR;
}

/* The comparison is for equality: what has passed before it was set up never comes again, so the
 * clock is looked at once more. */
void alarm_set(uint32_t ticks)
{
    alarm_cancel();
    is_set = true;
    TIMER_INTE(SET) = ALARM;
    nvic_enable(BOARD_ALARM_IRQ);
    TIMER_ALARM(ALARM_OF_CLOCK) = timer_raw(ticks);
    if ((int32_t)(ticks - clock_ticks()) <= 0) {
        nvic_pend(BOARD_ALARM_IRQ);
    }
}

void alarm_cancel(void)
{
    is_set = false;
    forget();
    nvic_forget(BOARD_ALARM_IRQ);
}

/* May come twice for one alarm, by the timer and by alarm_set(). */
void cortexm_alarm_isr(void)
{
    forget();
    if (is_set) {
        is_set = false;
        alarm_on_ring();
    }
}
