/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How the nRF52840 erases a page of its flash (PS v1.11, chapter NVMC): in parts of some
 * milliseconds, and interrupts are taken between them.
 */
#include "port/nrf/nrf.h"

#define NVMC_ERASEPAGEPARTIAL    REG32(NVMC_BASE + 0x518) /* address of a page */
#define NVMC_ERASEPAGEPARTIALCFG REG32(NVMC_BASE + 0x51C) /* milliseconds of a part */

/* Together at least what erasing a page takes at most, 89.7 ms. */
#define PART_MS 2u
#define PARTS   45u

void nvmc_erase_page(uint32_t address)
{
    NVMC_ERASEPAGEPARTIALCFG = PART_MS;
    for (uint32_t i = 0; i < PARTS; i++) {
        NVMC_ERASEPAGEPARTIAL = address;
        nvmc_wait();
    }
}
