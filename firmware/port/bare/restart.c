/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The memory behind hal/restart.h: the first bytes of the RAM, whatever is linked.
 */
#include "port/bare/bare.h"

restart_memory_t bare_restart_memory __attribute__((section(".handoff")));

restart_memory_t *restart_memory(void)
{
    return &bare_restart_memory;
}
