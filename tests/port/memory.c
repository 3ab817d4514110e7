/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * RAM for the tests of port/common.
 */
#include "port/common/restart.h"

restart_memory_t kept;

restart_memory_t *restart_memory(void)
{
    return &kept;
}
