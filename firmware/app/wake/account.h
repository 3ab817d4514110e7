/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What the time is spent on: the device's duty/residency.h.
 */
#ifndef APP_WAKE_ACCOUNT_H
#define APP_WAKE_ACCOUNT_H

#include "duty/residency.h"

/* A state begins now; returns the one that ends. */
duty_state_t account(duty_state_t state);

/* Shares of each state since the last call, in 1/10000, big endian, as a `summary` has them. */
void account_take(uint8_t shares[2 * STATES]);

#endif
