/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The second stage of the boot (RP2040 Datasheet, 2.8.1.3): the first 256 bytes of the flash, which
 * the ROM copies to RAM and starts, if their last four are the checksum of the others. The build
 * puts that in (site_scons/torpor_build/second_stage.py). It lets the flash be seen, and starts the
 * program that follows. Every program begins with it; in a slot nobody uses it.
 */
#include "port/rp2040/boot2.h"

#include "gen/board_config.h"
#include "port/rp2040/xip.h"

/* Runs at any address, on the ROM's stack. */
__attribute__((section(".vectors.first"), used, noreturn)) static void second_stage(void)
{
    xip_start();
    const uint32_t *vectors =
        (const void *)(uintptr_t)hidden(BOARD_FLASH_ORIGIN + SECOND_STAGE_BYTES);
    __asm volatile("msr msp, %0\n\tbx %1" ::"r"(vectors[0]), "r"(vectors[1]) : "memory");
    __builtin_unreachable();
}
