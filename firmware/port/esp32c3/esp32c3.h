/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What the files of this folder share: the lines of the CPU that interrupts come on, the flash
 * behind the cache, and the two buses that see the same memory. For ports only.
 *
 * Registers are named as in the ESP32-C3 Technical Reference Manual (TRM) and, where that is silent
 * (cache, MMU, SPI1), as in Espressif's SVD file of the chip and in ESP-IDF's soc/ headers.
 */
#ifndef PORT_ESP32C3_ESP32C3_H
#define PORT_ESP32C3_ESP32C3_H

#include <stdbool.h>

#include "gen/board_config.h"
#include "port/riscv/riscv.h"

/* Lines of the CPU (TRM, Interrupt Matrix): any of 1 to 31 takes any source. */
typedef enum { LINE_UART = 1, LINE_ALARM, LINE_PIN, LINE_WATCHDOG, LINES } line_t;

/* Lets interrupt `source` (its number in the interrupt matrix) call `handler` from line `line`. */
void interrupt_connect(uint32_t source, line_t line, void (*handler)(void));

/* The same 8 MB of flash pages are seen by the bus for instructions and by the one for data (TRM,
 * System and Memory): 128 pages of 64 KB, with one table for both. */
#define IBUS_FLASH 0x42000000u
#define DBUS_FLASH 0x3C000000u

/* The cache lets nobody at the flash, and forgets nothing, until cache_resume(). What runs between
 * the two, interrupts disabled, lies in RAM, with its constants. */
void cache_suspend(void);
void cache_resume(void);

/* Forgets what was read at `address` (of the data bus) and behind: whole lines of 32 bytes. */
void cache_forget(uint32_t address, uint32_t length);

/* Lets page `page` of the virtual 8 MB show page `flash_page` of the flash, or nothing. While the
 * cache is suspended. */
#define MMU_NOTHING 0x100u /* an entry that is not valid */
void mmu_set(uint32_t page, uint32_t flash_page);

/* The whole flash, from the first page on; while nothing is executed from it. */
void mmu_show_flash(void);

enum { MMU_PAGE = 0x10000, MMU_PAGES = 128 };

/* An image that the ROM may start from flash without a bootloader begins with two words. */
enum { DIRECT_BOOT_BYTES = 8 };

#endif
