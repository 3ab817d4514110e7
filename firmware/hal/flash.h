/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The flash that slots and journal live in: NOR, mapped into the address space for reading. An
 * erase sets all bits of a block, programming only clears bits. Offsets count from its first byte;
 * its size, erase block and write unit are facts of boards/<board>/board.toml and reach portable
 * code as update_layout_t.
 *
 * Where code is executed from the same flash, the driver, and whatever can interrupt it, runs from
 * RAM while the flash is busy: a driver either keeps interrupts disabled for as long as some units
 * or a block take, or is on a chip that stalls the CPU meanwhile. Callers need not care.
 */
#ifndef HAL_FLASH_H
#define HAL_FLASH_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the flash ready. Call once at start, before all else here. */
void flash_start(void);

/* Where the byte at `offset` can be read. Valid for ever; what is read changes with erase and
 * program. Code and plans are executed and read in place through it. */
const uint8_t *flash_at(uint32_t offset);

/* Erases the block that begins at `offset`, a multiple of the erase size. Blocks, up to a second or
 * two on some chips. False: the flash reports an error, or does not read as erased. */
bool flash_erase(uint32_t offset);

/* Programs `length` bytes; both are multiples of the write unit, the units are erased. `data` may
 * be anywhere but in flash. Units are programmed in ascending order, each once. False: the
 * flash reports an error, or does not read as programmed; what is there then is undefined. */
bool flash_program(uint32_t offset, const void *data, uint32_t length);

#endif
