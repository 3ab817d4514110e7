/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/flash.h with the NVMC (nRF51 Series Reference Manual 3.0, chapter 6). Code is executed from
 * the same flash: the CPU waits while a word is written or a page is erased, so that nothing has to
 * run from RAM.
 */
#include "hal/flash.h"

#include <string.h>

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define NVMC_BASE      0x4001E000u
#define NVMC_READY     REG32(NVMC_BASE + 0x400)
#define NVMC_CONFIG    REG32(NVMC_BASE + 0x504)
#define NVMC_ERASEPAGE REG32(NVMC_BASE + 0x508) /* address of a page */

#define CONFIG_REN 0u /* read only */
#define CONFIG_WEN 1u
#define CONFIG_EEN 2u
#define ERASED     0xFFFFFFFFu

static void wait_ready(void)
{
    while (NVMC_READY == 0) {
    }
}

void flash_start(void)
{
}

const uint8_t *flash_at(uint32_t offset)
{
    return (const uint8_t *)(uintptr_t)(BOARD_FLASH_ORIGIN + offset);
}

static bool is_erased(uint32_t offset)
{
    for (uint32_t i = 0; i < BOARD_FLASH_ERASE_SIZE; i += 4) {
        if (REG32(BOARD_FLASH_ORIGIN + offset + i) != ERASED) {
            return false;
        }
    }
    return true;
}

bool flash_erase(uint32_t offset)
{
    NVMC_CONFIG = CONFIG_EEN;
    NVMC_ERASEPAGE = BOARD_FLASH_ORIGIN + offset;
    wait_ready();
    NVMC_CONFIG = CONFIG_REN;
    return is_erased(offset);
}

/* The flash takes whole words only. */
bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    NVMC_CONFIG = CONFIG_WEN;
    for (uint32_t i = 0; i < length; i += 4) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)data + i, sizeof word);
        REG32(BOARD_FLASH_ORIGIN + offset + i) = word;
        wait_ready();
    }
    NVMC_CONFIG = CONFIG_REN;
    return memcmp(flash_at(offset), data, length) == 0;
}
