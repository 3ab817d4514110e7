/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What the nRF51 and the nRF52840 have alike (nRF51 Series Reference Manual 3.0; nRF52840 Product
 * Specification, PS, v1.11), and what the files of this folder ask of the port of each.
 */
#ifndef PORT_NRF_NRF_H
#define PORT_NRF_NRF_H

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define NVMC_BASE  0x4001E000u
#define NVMC_READY REG32(NVMC_BASE + 0x400)

/* Waits for the flash controller. */
static inline void nvmc_wait(void)
{
    while (NVMC_READY == 0) {
    }
}

/* The port's nvmc.c: erases the page at `address`; erasing has been enabled. */
void nvmc_erase_page(uint32_t address);

#endif
