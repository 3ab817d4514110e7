/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See budget.h.
 */
#include "app/wake/budget.h"

#define LINE_OVERHEAD 6 /* marker, CRC, line feed, padding */

/* What a payload takes on the wire: base64 makes four of three. */
static int32_t on_the_wire(uint32_t bytes)
{
    return (int32_t)((bytes + 2) / 3 * 4) + LINE_OVERHEAD;
}

static void save(budget_t *budget, uint32_t now, uint32_t timer_hz)
{
    uint32_t ticks_a_byte = timer_hz / BUDGET_BYTES_A_SECOND;
    uint32_t earned = (now - budget->since) / ticks_a_byte;
    uint32_t room = (uint32_t)(BUDGET_SAVED - budget->saved);
    budget->since += earned * ticks_a_byte;
    budget->saved = earned < room ? budget->saved + (int32_t)earned : BUDGET_SAVED;
}

bool budget_take(budget_t *budget, uint32_t bytes, uint32_t now, uint32_t timer_hz)
{
    int32_t cost = on_the_wire(bytes);
    save(budget, now, timer_hz);
    if (cost > budget->saved) {
        return false;
    }
    budget->saved -= cost;
    return true;
}

void budget_spend(budget_t *budget, uint32_t bytes, uint32_t now, uint32_t timer_hz)
{
    save(budget, now, timer_hz);
    budget->saved -= on_the_wire(bytes);
    budget->saved = budget->saved > -BUDGET_OWED ? budget->saved : -BUDGET_OWED;
}
