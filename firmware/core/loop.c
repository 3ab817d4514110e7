/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See loop.h.
 */
#include "core/loop.h"

#include <stddef.h>

void loop_post(loop_t *loop, uint32_t event)
{
    loop->pending[event] = true;
}

bool loop_pending(const loop_t *loop)
{
    for (uint32_t event = 0; event < LOOP_EVENTS; event++) {
        if (loop->pending[event]) {
            return true;
        }
    }
    return false;
}

void loop_dispatch(loop_t *loop)
{
    uint32_t event = 0;
    while (event < LOOP_EVENTS) {
        if (!loop->pending[event]) {
            event++;
            continue;
        }
        loop->pending[event] = false;
        if (loop->handlers[event] != NULL) {
            loop->handlers[event]();
        }
        event = 0;
    }
}
