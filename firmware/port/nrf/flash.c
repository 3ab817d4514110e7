/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/flash.h with the NVMC (nRF51 Series Reference Manual 3.0, chapter 6; PS v1.11, chapter NVMC).
 * Code is executed from the same flash: the CPU waits while a word is written (41 us) or a page is
 * erased, so that nothing has to run from RAM. Words may be written twice between erases; here each
 * is written once.
 */
#include "hal/flash.h"

#include <string.h>

#include "port/common/nor.h"
#include "port/nrf/nrf.h"

#define NVMC_CONFIG REG32(NVMC_BASE + 0x504)

#define CONFIG_REN 0u /* read only */
#define CONFIG_WEN 1u
#define CONFIG_EEN 2u

static void set_config(uint32_t value)
{
    NVMC_CONFIG = value;
    nvmc_wait();
}

void flash_start(void)
{
}

const uint8_t *flash_at(uint32_t offset)
{
    return (const uint8_t *)(uintptr_t)(BOARD_FLASH_ORIGIN + offset);
}

bool flash_erase(uint32_t offset)
{
    set_config(CONFIG_EEN);
    nvmc_erase_page(BOARD_FLASH_ORIGIN + offset);
    set_config(CONFIG_REN);
    return nor_is_erased(flash_at(offset), BOARD_FLASH_ERASE_SIZE);
}

/* The flash takes whole words only. */
bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    set_config(CONFIG_WEN);
    for (uint32_t i = 0; i < length; i += 4) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)data + i, sizeof word);
        REG32(BOARD_FLASH_ORIGIN + offset + i) = word;
        nvmc_wait();
    }
    set_config(CONFIG_REN);
    return memcmp(flash_at(offset), data, length) == 0;
}
