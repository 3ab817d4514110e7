/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The first eight bytes of every program. At the start of the flash they tell the ROM of chips from
 * revision 0.3 on to map the flash and to jump behind them ("direct boot", Espressif's
 * esp32c3-direct-boot-example): so starts a firmware without bootloader. Elsewhere they are idle.
 */
#include "port/esp32c3/esp32c3.h"

#define DIRECT_BOOT_MAGIC 0xAEDB041Du

__attribute__((used, section(".vectors.first"))) static const uint32_t direct_boot[2] = {
    DIRECT_BOOT_MAGIC, DIRECT_BOOT_MAGIC};

_Static_assert(sizeof direct_boot == DIRECT_BOOT_BYTES, "the entry follows");
