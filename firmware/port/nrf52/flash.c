/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/flash.h with the NVMC (PS v1.11, chapter NVMC). Code is executed from the same flash: the CPU
 * waits while a word is written (41 us) or a page is erased, so that nothing has to run from RAM. A
 * page is erased in parts of some milliseconds, and interrupts are taken between them. Words may be
 * written twice between erases; here each is written once.
 */
#include "hal/flash.h"

#include <string.h>

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define NVMC_BASE                0x4001E000u
#define NVMC_READY               REG32(NVMC_BASE + 0x400)
#define NVMC_CONFIG              REG32(NVMC_BASE + 0x504)
#define NVMC_ERASEPAGEPARTIAL    REG32(NVMC_BASE + 0x518) /* address of a page */
#define NVMC_ERASEPAGEPARTIALCFG REG32(NVMC_BASE + 0x51C) /* milliseconds of a part */

#define CONFIG_REN 0u /* read only */
#define CONFIG_WEN 1u
#define CONFIG_EEN 2u
#define ERASED     0xFFFFFFFFu

/* Together at least what erasing a page takes at most, 89.7 ms. */
#define PART_MS 2u
#define PARTS   45u

static void wait_ready(void)
{
    while (NVMC_READY == 0) {
    }
}

static void set_config(uint32_t value)
{
    NVMC_CONFIG = value;
    wait_ready();
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
    NVMC_ERASEPAGEPARTIALCFG = PART_MS;
    set_config(CONFIG_EEN);
    for (uint32_t i = 0; i < PARTS; i++) {
        NVMC_ERASEPAGEPARTIAL = BOARD_FLASH_ORIGIN + offset;
        wait_ready();
    }
    set_config(CONFIG_REN);
    return is_erased(offset);
}

/* The flash takes whole words only. */
bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    set_config(CONFIG_WEN);
    for (uint32_t i = 0; i < length; i += 4) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)data + i, sizeof word);
        REG32(BOARD_FLASH_ORIGIN + offset + i) = word;
        wait_ready();
    }
    set_config(CONFIG_REN);
    return memcmp(flash_at(offset), data, length) == 0;
}
