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
#include "port/riscv/riscv.h"

#define BOTH(command) ((uint32_t)(command) << 16 | (command)) /* for each chip */

#define READ_ARRAY    BOTH(0xFFu)
#define CLEAR_STATUS  BOTH(0x50u)
#define PROGRAM       BOTH(0x40u)
#define ERASE         BOTH(0x20u)
#define ERASE_CONFIRM BOTH(0xD0u)
#define STATUS_READY  BOTH(0x80u)
#define STATUS_ERRORS BOTH(0x3Au) /* erase, program, voltage, protection */
#define ERASED        0xFFFFFFFFu

/* Two bus cycles of a command at `cell`, then back to reading. True: no error. */
RAM_FUNCTION static bool execute(volatile uint32_t *cell, uint32_t command, uint32_t operand)
{
    *cell = CLEAR_STATUS;
    *cell = command;
    *cell = operand;
    uint32_t status;
    do {
        status = *cell;
    } while ((status & STATUS_READY) != STATUS_READY);
    *cell = READ_ARRAY;
    return (status & STATUS_ERRORS) == 0;
}

static bool execute_masked(volatile uint32_t *cell, uint32_t command, uint32_t operand)
{
    uint32_t irq = cpu_irq_disable();
    bool good = execute(cell, command, operand);
    cpu_irq_restore(irq);
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
    bool good = execute_masked(block, ERASE, ERASE_CONFIRM);
    for (uint32_t i = 0; i < BOARD_FLASH_ERASE_SIZE / 4; i++) {
        good = good && block[i] == ERASED;
    }
    return good;
}

/* A unit that is not erased is refused here: the chips would clear bits, QEMU's model overwrites.
 */
bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    volatile uint32_t *unit = cells(offset);
    for (uint32_t i = 0; i < length / 4; i++) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)data + 4 * i, sizeof word);
        if (unit[i] != ERASED || !execute_masked(&unit[i], PROGRAM, word)) {
            return false;
        }
    }
    return memcmp(flash_at(offset), data, length) == 0;
}
