/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/flash.h on a board that has no flash to program: a part of its external RAM, which keeps its
 * content if the emulator puts a file behind it.
 */
#include "hal/flash.h"

#include "gen/board_config.h"
#include "port/common/nor.h"

void flash_start(void)
{
}

static uint8_t *cells(uint32_t offset)
{
    return (uint8_t *)(uintptr_t)(BOARD_FLASH_ORIGIN + offset);
}

const uint8_t *flash_at(uint32_t offset)
{
    return cells(offset);
}

bool flash_erase(uint32_t offset)
{
    nor_erase(cells(offset), BOARD_FLASH_ERASE_SIZE);
    return true;
}

bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    return nor_program(cells(offset), data, length);
}
