/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/boot.h: the slot is shown in the window that every image is linked for, and entered there.
 * Runs in the bootloader, which is in RAM; slots begin at pages of the MMU.
 */
#include "hal/boot.h"

#include "port/esp32c3/esp32c3.h"

_Static_assert(BOARD_SLOTS_WINDOW % MMU_PAGE == 0, "whole pages");

enum { FIRST = (BOARD_SLOTS_WINDOW - IBUS_FLASH) / MMU_PAGE };

void boot_jump(const uint8_t *payload, uint32_t length)
{
    uint32_t offset = (uint32_t)(uintptr_t)payload - BOARD_FLASH_ORIGIN;
    uint32_t pages = (offset % MMU_PAGE + length + MMU_PAGE - 1) / MMU_PAGE;
    cpu_irq_disable();
    cache_suspend();
    for (uint32_t i = 0; i < MMU_PAGES - FIRST; i++) {
        mmu_set(FIRST + i, i < pages ? offset / MMU_PAGE + i : MMU_NOTHING);
    }
    cache_resume();
    uint32_t entry = BOARD_SLOTS_WINDOW + offset % MMU_PAGE + DIRECT_BOOT_BYTES;
    __asm volatile("jr %0" ::"r"(entry) : "memory");
    __builtin_unreachable();
}
