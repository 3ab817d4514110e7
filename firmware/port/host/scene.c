/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A scene is what the file of --memory holds.
 */
#include "hal/board.h"
#include "port/host/host.h"

const void *board_scene(uint32_t *bytes)
{
    return host_memory(bytes);
}
