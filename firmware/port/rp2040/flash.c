/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/flash.h with the W25Q16JV behind the SSI, written by functions of the boot ROM (RP2040
 * Datasheet, 2.8.3.1.3). While the flash takes commands nothing can be read from it: what runs then
 * lies in RAM and ROM, interrupts are disabled, and at the end the CPU sees the flash again
 * (xip.h). Core 1 waits in the ROM.
 *
 * The ROM programs whole pages of 256 bytes. What is not meant is given as ones: programming only
 * clears bits, so that ones leave a byte as it is, erased or not, and a page may be programmed in
 * any number of parts (data sheet of the W25Q16JV, 8.2.15: 1 to 256 bytes of a page at a time).
 */
#include "hal/flash.h"

#include <string.h>

#include "port/common/nor.h"
#include "port/rp2040/rp2040.h"
#include "port/rp2040/xip.h"

#define PAGE      256u
#define NO_BLOCKS (1u << 31) /* no erase of more than a sector: none is that large */

#define ROM_FUNCTION_TABLE 0x14u /* half words: where the table is, and who searches it */
#define ROM_TABLE_LOOKUP   0x18u
#define ROM_CODE(a, b)     ((uint32_t)(a) | (uint32_t)(b) << 8)

_Static_assert(BOARD_FLASH_ERASE_SIZE == 4096, "a sector");
_Static_assert(BOARD_FLASH_WRITE_SIZE == 4 && PAGE % BOARD_FLASH_WRITE_SIZE == 0, "see below");

/* Addresses of functions, with the Thumb bit. */
static struct {
    uint32_t connect_internal_flash;
    uint32_t flash_exit_xip;
    uint32_t flash_range_erase;
    uint32_t flash_range_program;
    uint32_t flash_flush_cache;
} rom;

/* Calls the function of the ROM that is the last argument, with the others; returns what it does.
 * Its stack is in firmware/calls.toml. */
uint32_t rp2040_rom_call(uint32_t a, uint32_t b, uint32_t c, uint32_t function);
__asm(".pushsection .ramfunc, \"ax\", %progbits\n\t"
      ".syntax unified\n\t"
      ".thumb\n\t"
      ".balign 4\n\t"
      ".global rp2040_rom_call\n\t"
      ".thumb_func\n\t"
      ".type rp2040_rom_call, %function\n"
      "rp2040_rom_call:\n\t"
      "bx r3\n\t"
      ".size rp2040_rom_call, . - rp2040_rom_call\n\t"
      ".popsection");

/* The compiler must not know that the address is near 0, where it believes nothing is. */
static uint32_t rom_half(uint32_t address)
{
    __asm volatile("" : "+r"(address));
    return *(const volatile uint16_t *)(uintptr_t)address;
}

static uint32_t rom_function(uint32_t code)
{
    return rp2040_rom_call(rom_half(ROM_FUNCTION_TABLE), code, 0, rom_half(ROM_TABLE_LOOKUP));
}

void flash_start(void)
{
    rom.connect_internal_flash = rom_function(ROM_CODE('I', 'F'));
    rom.flash_exit_xip = rom_function(ROM_CODE('E', 'X'));
    rom.flash_range_erase = rom_function(ROM_CODE('R', 'E'));
    rom.flash_range_program = rom_function(ROM_CODE('R', 'P'));
    rom.flash_flush_cache = rom_function(ROM_CODE('F', 'C'));
}

const uint8_t *flash_at(uint32_t offset)
{
    return (const uint8_t *)(uintptr_t)(BOARD_FLASH_ORIGIN + offset);
}

RAM_FUNCTION static void take_commands(void)
{
    rp2040_rom_call(0, 0, 0, rom.connect_internal_flash);
    rp2040_rom_call(0, 0, 0, rom.flash_exit_xip);
}

RAM_FUNCTION static void be_seen(void)
{
    rp2040_rom_call(0, 0, 0, rom.flash_flush_cache);
    xip_start();
}

RAM_FUNCTION static void erase_sector(uint32_t offset)
{
    take_commands();
    rp2040_rom_call(offset, BOARD_FLASH_ERASE_SIZE, NO_BLOCKS, rom.flash_range_erase);
    be_seen();
}

RAM_FUNCTION static void program_page(uint32_t offset, const uint8_t *page)
{
    take_commands();
    rp2040_rom_call(offset, (uint32_t)(uintptr_t)page, PAGE, rom.flash_range_program);
    be_seen();
}

bool flash_erase(uint32_t offset)
{
    uint32_t irq = cpu_irq_disable();
    erase_sector(offset);
    cpu_irq_restore(irq);
    return nor_is_erased(flash_at(offset), BOARD_FLASH_ERASE_SIZE);
}

/* Of one page. What is not erased is refused: the chip would clear bits and report nothing. */
static bool program_some(uint32_t offset, const uint8_t *data, uint32_t length)
{
    static uint8_t page[PAGE]; /* in RAM, and not on the stack of whoever calls */
    if (!nor_is_erased(flash_at(offset), length)) {
        return false;
    }
    memset(page, 0xFF, sizeof page);
    memcpy(page + offset % PAGE, data, length);
    uint32_t irq = cpu_irq_disable();
    program_page(offset - offset % PAGE, page);
    cpu_irq_restore(irq);
    return true;
}

bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    const uint8_t *bytes = data;
    for (uint32_t done = 0; done < length;) {
        uint32_t room = PAGE - (offset + done) % PAGE;
        uint32_t size = length - done < room ? length - done : room;
        if (!program_some(offset + done, bytes + done, size)) {
            return false;
        }
        done += size;
    }
    return memcmp(flash_at(offset), data, length) == 0;
}
