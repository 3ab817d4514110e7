/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How the nRF51 erases a page of its flash: in one piece, 22 ms (nRF51 Series Reference Manual 3.0,
 * chapter 6).
 */
#include "port/nrf/nrf.h"

#define NVMC_ERASEPAGE REG32(NVMC_BASE + 0x508) /* address of a page */

void nvmc_erase_page(uint32_t address)
{
    NVMC_ERASEPAGE = address;
    nvmc_wait();
}
