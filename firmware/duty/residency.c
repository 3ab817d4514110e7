/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See residency.h.
 */
#include "duty/residency.h"

duty_state_t residency_enter(residency_t *residency, duty_state_t state, uint32_t now)
{
    duty_state_t before = residency->state;
    residency->ticks[before] += now - residency->since;
    residency->since = now;
    residency->state = state;
    return before;
}

void residency_take(residency_t *residency, uint32_t now, uint64_t ticks[STATES])
{
    residency_enter(residency, residency->state, now);
    for (uint32_t state = 0; state < STATES; state++) {
        ticks[state] = residency->ticks[state];
        residency->ticks[state] = 0;
    }
}
