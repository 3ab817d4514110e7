/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/flash.h with the SPI NOR flash of the module, written through the controller SPI1
 * (Espressif's SVD file; the order of ESP-IDF's hal/spimem_flash_ll.h; JEDEC's basic commands 06h,
 * 05h, 02h, 20h). The CPU reads the same chip through SPI0 and the cache: while it is busy nothing
 * may be fetched from it, so that what writes lies in RAM, with interrupts disabled and the cache
 * suspended.
 */
#include "hal/flash.h"

#include <string.h>

#include "port/common/nor.h"
#include "port/esp32c3/esp32c3.h"

#define SPI1_BASE      0x60002000u
#define SPI1_CMD       REG32(SPI1_BASE + 0x00)
#define SPI1_ADDR      REG32(SPI1_BASE + 0x04)
#define SPI1_CTRL      REG32(SPI1_BASE + 0x08)
#define SPI1_USER      REG32(SPI1_BASE + 0x18)
#define SPI1_USER1     REG32(SPI1_BASE + 0x1C)
#define SPI1_RD_STATUS REG32(SPI1_BASE + 0x2C)
#define SPI1_W(n)      REG32(SPI1_BASE + 0x58 + 4 * (n))

#define CMD_FLASH_SE        (1u << 24) /* erase a sector of 4 KB */
#define CMD_FLASH_PP        (1u << 25) /* program up to 64 bytes of a page */
#define CMD_FLASH_RDSR      (1u << 27) /* read the status */
#define CMD_FLASH_WREN      (1u << 30) /* enable the next write */
#define CTRL_WP             (1u << 21) /* the write protect line is high; all on one line else */
#define USER_COMMAND        (1u << 31)
#define USER_ADDR           (1u << 30)
#define USER1_ADDR_BITS(n)  (((n) - 1u) << 26)
#define ADDR_LENGTH(length) ((length) << 24)

#define STATUS_WIP (1u << 0) /* of the flash: write in progress */

#define PAGE   256u /* of the flash: programming wraps at its end */
#define BUFFER 64u  /* of the controller */

_Static_assert(BOARD_FLASH_ERASE_SIZE == 4096, "a sector");
_Static_assert(BOARD_FLASH_SIZE <= 1u << 24, "addresses have 24 bits");
_Static_assert(PAGE % BUFFER == 0, "a burst does not cross pages if it is aligned");

/* The bits of SPI1_CMD clear themselves when the command is done. A part of its callers, which run
 * from RAM. */
__attribute__((always_inline)) static inline void execute(uint32_t command)
{
    SPI1_CMD = command;
    while (SPI1_CMD != 0) {
    }
}

/* From the enabled write to the end of it. */
__attribute__((always_inline)) static inline void execute_write(uint32_t command, uint32_t address)
{
    execute(CMD_FLASH_WREN);
    SPI1_ADDR = address;
    execute(command);
    do {
        execute(CMD_FLASH_RDSR);
    } while ((SPI1_RD_STATUS & STATUS_WIP) != 0);
}

RAM_FUNCTION static void erase_sector(uint32_t offset)
{
    cache_suspend();
    execute_write(CMD_FLASH_SE, offset);
    cache_forget(BOARD_FLASH_ORIGIN + offset, BOARD_FLASH_ERASE_SIZE);
    cache_resume();
}

RAM_FUNCTION static void program_burst(uint32_t offset, const uint32_t *words, uint32_t length)
{
    cache_suspend();
    for (uint32_t i = 0; i < length / 4; i++) {
        SPI1_W(i) = words[i];
    }
    execute_write(CMD_FLASH_PP, offset | ADDR_LENGTH(length));
    cache_forget(BOARD_FLASH_ORIGIN + offset, length);
    cache_resume();
}

/* The ROM may have left the read mode of the cache here; addresses have 24 bits. */
void flash_start(void)
{
    SPI1_CTRL = CTRL_WP;
    SPI1_USER = USER_COMMAND | USER_ADDR;
    SPI1_USER1 = USER1_ADDR_BITS(24u);
}

const uint8_t *flash_at(uint32_t offset)
{
    return (const uint8_t *)(uintptr_t)(BOARD_FLASH_ORIGIN + offset);
}

bool flash_erase(uint32_t offset)
{
    uint32_t irq = cpu_irq_disable();
    erase_sector(offset);
    cpu_irq_restore(irq);
    return nor_is_erased(flash_at(offset), BOARD_FLASH_ERASE_SIZE);
}

/* What is not erased is refused: the chip would clear bits and report nothing. */
static bool program_some(uint32_t offset, const uint8_t *data, uint32_t length)
{
    uint32_t words[BUFFER / 4];
    memcpy(words, data, length);
    if (!nor_is_erased(flash_at(offset), length)) {
        return false;
    }
    uint32_t irq = cpu_irq_disable();
    program_burst(offset, words, length);
    cpu_irq_restore(irq);
    return true;
}

/* Up to the next multiple of the buffer at a time, so that no burst crosses a page. */
bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    const uint8_t *bytes = data;
    for (uint32_t done = 0; done < length;) {
        uint32_t room = BUFFER - (offset + done) % BUFFER;
        uint32_t size = length - done < room ? length - done : room;
        if (!program_some(offset + done, bytes + done, size)) {
            return false;
        }
        done += size;
    }
    return memcmp(flash_at(offset), data, length) == 0;
}
