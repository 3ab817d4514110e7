/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * One alarm on the count of hal/clock.h, which wakes the CPU. core/timers.h makes many of it.
 */
#ifndef HAL_ALARM_H
#define HAL_ALARM_H

#include <stdint.h>

/* Sets the alarm to when clock_ticks() reaches `ticks`, at most 2^31 - 1 ahead; a time that is past
 * (by less than 2^31) rings at once. An alarm that was set before is forgotten. Where the hardware
 * counts coarser than the clock it rings late, by at most 1 ms, never early. Not from an
 * interrupt. */
void alarm_set(uint32_t ticks);

/* Forgets the alarm; it may be ringing already. */
void alarm_cancel(void);

/* Implemented by the application: the alarm rings, once. From an interrupt; must not call the HAL.
 */
void alarm_on_ring(void);

#endif
