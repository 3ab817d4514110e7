/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The cache between the CPU and the flash, and the table of pages behind it. The TRM describes what
 * they do (System and Memory) but not their registers: those are EXTMEM of Espressif's SVD file,
 * with the meaning and the order of ESP-IDF's soc/extmem_reg.h, hal/cache_ll.h, hal/mmu_ll.h and
 * soc/ext_mem_defs.h for this chip. Everything here runs from RAM.
 */
#include "port/esp32c3/esp32c3.h"

#define EXTMEM_BASE                 0x600C4000u
#define EXTMEM_ICACHE_CTRL          REG32(EXTMEM_BASE + 0x00)
#define EXTMEM_ICACHE_CTRL1         REG32(EXTMEM_BASE + 0x04)
#define EXTMEM_ICACHE_SYNC_CTRL     REG32(EXTMEM_BASE + 0x28)
#define EXTMEM_ICACHE_SYNC_ADDR     REG32(EXTMEM_BASE + 0x2C)
#define EXTMEM_ICACHE_SYNC_SIZE     REG32(EXTMEM_BASE + 0x30)
#define EXTMEM_ICACHE_AUTOLOAD_CTRL REG32(EXTMEM_BASE + 0x40)
#define EXTMEM_CACHE_STATE          REG32(EXTMEM_BASE + 0xB0)

#define ICACHE_ENABLE         (1u << 0)
#define ICACHE_SHUT_IBUS      (1u << 0)
#define ICACHE_SHUT_DBUS      (1u << 1)
#define ICACHE_INVALIDATE_ENA (1u << 0)
#define ICACHE_AUTOLOAD_ENA   (1u << 2)
#define ICACHE_SYNC_DONE      (1u << 1)
#define ICACHE_STATE          0xFFFu /* 1: idle */

#define MMU_TABLE(page) REG32(0x600C5000u + 4 * (page))

enum { LINE_BYTES = 32 };

/* Nor does it read ahead by itself any more, should the ROM have let it. */
RAM_FUNCTION void cache_suspend(void)
{
    EXTMEM_ICACHE_AUTOLOAD_CTRL = EXTMEM_ICACHE_AUTOLOAD_CTRL & ~ICACHE_AUTOLOAD_ENA;
    EXTMEM_ICACHE_CTRL = EXTMEM_ICACHE_CTRL & ~ICACHE_ENABLE;
    while ((EXTMEM_CACHE_STATE & ICACHE_STATE) != 1) {
    }
}

RAM_FUNCTION void cache_resume(void)
{
    EXTMEM_ICACHE_CTRL1 = EXTMEM_ICACHE_CTRL1 & ~(ICACHE_SHUT_IBUS | ICACHE_SHUT_DBUS);
    EXTMEM_ICACHE_CTRL = EXTMEM_ICACHE_CTRL | ICACHE_ENABLE;
}

RAM_FUNCTION void cache_forget(uint32_t address, uint32_t length)
{
    uint32_t first = address / LINE_BYTES;
    uint32_t last = (address + length - 1) / LINE_BYTES;
    EXTMEM_ICACHE_SYNC_ADDR = first * LINE_BYTES;
    EXTMEM_ICACHE_SYNC_SIZE = last - first + 1; /* lines */
    EXTMEM_ICACHE_SYNC_CTRL = ICACHE_INVALIDATE_ENA;
    while ((EXTMEM_ICACHE_SYNC_CTRL & ICACHE_SYNC_DONE) == 0) {
    }
}

RAM_FUNCTION void mmu_set(uint32_t page, uint32_t flash_page)
{
    MMU_TABLE(page) = flash_page;
}

/* What was read before this reset is forgotten, through both buses. */
RAM_FUNCTION void mmu_show_flash(void)
{
    cache_suspend();
    for (uint32_t page = 0; page < MMU_PAGES; page++) {
        mmu_set(page, page < BOARD_FLASH_SIZE / MMU_PAGE ? page : MMU_NOTHING);
    }
    cache_forget(DBUS_FLASH, MMU_PAGES * MMU_PAGE);
    cache_forget(IBUS_FLASH, MMU_PAGES * MMU_PAGE);
    cache_resume();
}
