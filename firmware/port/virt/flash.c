/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/flash.h with two 16-bit chips side by side that speak the Intel command set (JEDEC JEP137,
 * command set 0001h; QEMU 7.2 hw/block/pflash_cfi01.c). While they do not read as an array, nothing
 * may be fetched from them: the functions that bring them there run from RAM, interrupts disabled.
 */
#include "hal/flash.h"

#include <string.h>

#include "gen/board_config.h"
#include "port/common/nor.h"
#include "port/riscv/riscv.h"

#define BOTH(command) ((uint32_t)(command) << 16 | (command)) /* for each chip */

#define READ_ARRAY    BOTH(0xFFu)
#define CLEAR_STATUS  BOTH(0x50u)
#define PROGRAM       BOTH(0x40u)
#define ERASE         BOTH(0x20u)
#define ERASE_CONFIRM BOTH(0xD0u)
#define STATUS_READY  BOTH(0x80u)
#define STATUS_ERRORS BOTH(0x3Au) /* erase, program, voltage, protection */

#define BURST 16 /* words that are programmed while interrupts are disabled */

/* Two bus cycles of a command at `cell`. True: it was carried out without error. A part of its
 * callers, which run from RAM. */
__attribute__((always_inline)) static inline bool execute(volatile uint32_t *cell, uint32_t command,
                                                          uint32_t operand)
{
    *cell = CLEAR_STATUS;
    *cell = command;
    *cell = operand;
    uint32_t status;
    do {
        status = *cell;
    } while ((status & STATUS_READY) != STATUS_READY);
    return (status & STATUS_ERRORS) == 0;
}

RAM_FUNCTION static bool erase_block(volatile uint32_t *block)
{
    bool good = execute(block, ERASE, ERASE_CONFIRM);
    *block = READ_ARRAY;
    return good;
}

/* Programs `count` words in ascending order, up to the first that fails. */
RAM_FUNCTION static bool program_words(volatile uint32_t *unit, const uint32_t *words,
                                       uint32_t count)
{
    bool good = true;
    for (uint32_t i = 0; i < count && good; i++) {
        good = execute(&unit[i], PROGRAM, words[i]);
    }
    *unit = READ_ARRAY;
    return good;
}

void flash_start(void)
{
}

static volatile uint32_t *cells(uint32_t offset)
{
    return (volatile uint32_t *)(uintptr_t)(BOARD_FLASH_ORIGIN + offset);
}

const uint8_t *flash_at(uint32_t offset)
{
    return (const uint8_t *)(uintptr_t)(BOARD_FLASH_ORIGIN + offset);
}

bool flash_erase(uint32_t offset)
{
    volatile uint32_t *block = cells(offset);
    uint32_t irq = cpu_irq_disable();
    bool good = erase_block(block);
    cpu_irq_restore(irq);
    return good && nor_is_erased(flash_at(offset), BOARD_FLASH_ERASE_SIZE);
}

/* A few words at a time: to go from commands to reading and back is what QEMU needs time for. What
 * is not erased is refused here: the chips would clear bits, QEMU's model overwrites. */
static bool program_some(uint32_t offset, const uint8_t *data, uint32_t length)
{
    volatile uint32_t *unit = cells(offset);
    uint32_t words[BURST];
    memcpy(words, data, length);
    if (!nor_is_erased(flash_at(offset), length)) {
        return false;
    }
    uint32_t irq = cpu_irq_disable();
    bool good = program_words(unit, words, length / 4);
    cpu_irq_restore(irq);
    return good;
}

bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    const uint8_t *bytes = data;
    for (uint32_t done = 0; done < length;) {
        uint32_t size = length - done < 4 * BURST ? length - done : 4 * BURST;
        if (!program_some(offset + done, bytes + done, size)) {
            return false;
        }
        done += size;
    }
    return memcmp(flash_at(offset), data, length) == 0;
}
