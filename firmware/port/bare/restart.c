/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The memory behind hal/restart.h and hal/trace.h: the first bytes of the RAM, whatever is linked.
 */
#include "port/bare/bare.h"

kept_memory_t bare_kept_memory __attribute__((section(".handoff")));

kept_memory_t *kept_memory(void)
{
    return &bare_kept_memory;
}
