/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The records that the device sends by itself, numbered, and held back where the link is needed for
 * an update: what is held back is counted, and its number shows that it is missing.
 */
#ifndef APP_WAKE_TELL_H
#define APP_WAKE_TELL_H

#include "duty/duty.h"
#include "hal/restart.h"

/* Who the device is: `about` and all labels. */
void tell_about(policy_level_t level);

void tell_answer(const answer_t *answer, uint32_t latency_us, uint32_t wake);

/* A `summary` of the interval that ends at `now_ms`, since `counts` were as `*before`; `begin`
 * starts a new interval, otherwise it only looks. */
void tell_summary(uint64_t now_ms, const duty_counts_t *counts, bool begin);

/* Why the run before ended, with its last steps; `again` repeats what was told at the start. */
void tell_restarted(const restart_t *restart);
void tell_restarted_again(void);

/* Answers a request that has nothing else to say: always, but of the bytes that are left for
 * telemetry while an update needs the link. */
void tell_acknowledge(uint32_t seq, uint32_t status);

/* Samples that the sensor wants; count 0: the scene is over. */
void tell_need(uint32_t start, uint32_t count);

#endif
