/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * port/bare/chip.h of the nRF52840 (PS v1.11, chapters POWER, CLOCK, NVMC and debug): cache,
 * the DC/DC converter, the 32 kHz crystal. The CPU runs at 64 MHz without more being said, from the
 * internal oscillator; the crystal of 32 MHz is started by who needs its accuracy, the UART. The
 * UICR is never written: which pins are NFC's or the reset stay as they are.
 */
#include "port/bare/chip.h"

#include "port/nrf52/nrf52.h"

#define POWER_DCDCEN      REG32(0x40000000u + 0x578)
#define APPROTECT_DISABLE REG32(0x40000000u + 0x558)
#define FICR_FAMILY       REG32(0x10000000u + 0x130) /* not in the PS: as Nordic's MDK reads it */
#define FICR_REVISION     REG32(0x10000000u + 0x134)
#define UICR_APPROTECT    REG32(0x10001000u + 0x208)
#define NVMC_ICACHECNF    REG32(0x4001E000u + 0x540)
#define RAM_ARBITER       REG32(0x4007AC84u) /* erratum 246 names it by its address alone */

#define DCDCEN_ENABLED     1u
#define ICACHECNF_CACHEEN  1u
#define FAMILY_NRF52840    0x08u
#define REVISION_PROTECTED 0x05u /* from here on the debug port is shut until it is opened */
#define RAM_ARBITER_FAIR   2u

/* Newer chips shut the debug port at each reset. It is opened where the UICR says that it may be:
 * no firmware opens what its owner has shut. */
static void open_debug_port(void)
{
    if (FICR_FAMILY == FAMILY_NRF52840 && FICR_REVISION >= REVISION_PROTECTED) {
        APPROTECT_DISABLE = UICR_APPROTECT;
    }
}

/* Without the erratum's remedy the chip may draw 350 uA more asleep, after the CPU and the UART's
 * DMA have met at the same block of RAM. */
static void mend_erratum_246(void)
{
    RAM_ARBITER = RAM_ARBITER_FAIR;
}

/* The RTC must not be touched before the clock runs (erratum 20): timer.c waits. It runs from the
 * RC oscillator until the crystal is ready, a quarter of a second later. The source must not change
 * once it was asked for; a watchdog alone has the clock run too, from the RC oscillator. */
static void start_low_frequency_clock(void)
{
    if (CLOCK_LFCLKRUN == 0) {
        CLOCK_LFCLKSRC = LFCLKSRC_XTAL;
        CLOCK_LFCLKSTART = 1;
    }
}

void chip_start(void)
{
    mend_erratum_246();
    open_debug_port();
    NVMC_ICACHECNF = ICACHECNF_CACHEEN;
    POWER_DCDCEN = DCDCEN_ENABLED;
    start_low_frequency_clock();
}
