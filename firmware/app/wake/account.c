/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See account.h.
 */
#include "app/wake/account.h"

#include "hal/clock.h"

#define WHOLE      10000u
#define LONGEST_OF (UINT32_MAX / WHOLE)

static residency_t residency;

duty_state_t account(duty_state_t state)
{
    return residency_enter(&residency, state, clock_ticks());
}

/* Shares need no more than 18 bits of the time: no 64-bit division on the device. */
void account_take(uint8_t shares[2 * STATES])
{
    uint64_t ticks[STATES];
    uint64_t total = 0;
    residency_take(&residency, clock_ticks(), ticks);
    for (uint32_t i = 0; i < STATES; i++) {
        total += ticks[i];
    }
    uint32_t shift = 0;
    while (total >> shift > LONGEST_OF) {
        shift++;
    }
    uint32_t whole = (uint32_t)(total >> shift);
    for (uint32_t i = 0; i < STATES; i++) {
        uint32_t part = (uint32_t)(ticks[i] >> shift);
        uint32_t share = whole != 0 ? (part * WHOLE + whole / 2) / whole : 0;
        shares[2 * i] = (uint8_t)(share >> 8);
        shares[2 * i + 1] = (uint8_t)share;
    }
}
