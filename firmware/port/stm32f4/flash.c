/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/flash.h of the STM32F407VG (RM0090, chapter 3): one bank of 1 MB in twelve sectors. The CPU
 * waits while it reads or executes from a flash that is busy, so that nothing has to run from RAM;
 * bytes that the UART receives meanwhile are lost, up to two seconds of them for a large sector.
 * Words are programmed at once, which takes a supply of 2.7 V at least.
 */
#include "hal/flash.h"

#include <string.h>

#include "port/common/nor.h"
#include "port/stm32f4/stm32f4.h"

#define FLASH_REGISTERS 0x40023C00u
#define FLASH_ACR       REG32(FLASH_REGISTERS + 0x00)
#define FLASH_KEYR      REG32(FLASH_REGISTERS + 0x04)
#define FLASH_SR        REG32(FLASH_REGISTERS + 0x0C)
#define FLASH_CR        REG32(FLASH_REGISTERS + 0x10)

#define ACR_ICEN     (1u << 9)
#define ACR_DCEN     (1u << 10)
#define ACR_ICRST    (1u << 11)
#define ACR_DCRST    (1u << 12)
#define KEY_1        0x45670123u
#define KEY_2        0xCDEF89ABu
#define FLASH_SR_BSY (1u << 16)
#define SR_ERRORS    0xF2u /* PGSERR, PGPERR, PGAERR, WRPERR, OPERR: a 1 written clears */
#define CR_PG        (1u << 0)
#define CR_SER       (1u << 1)
#define CR_SNB       3
#define CR_PSIZE_32  (2u << 8)
#define CR_STRT      (1u << 16)
#define CR_LOCK      (1u << 31)

#define SMALL_END   0x10000u /* four sectors of 16 kB, one of 64, seven of 128 */
#define SMALL_SIZE  0x4000u
#define MIDDLE_END  0x20000u
#define MIDDLE_SIZE 0x10000u

_Static_assert(BOARD_FLASH_ERASE_SIZE == MIDDLE_END && BOARD_FLASH_WRITE_SIZE == 4, "see above");

void flash_start(void)
{
}

const uint8_t *flash_at(uint32_t offset)
{
    return (const uint8_t *)(uintptr_t)(BOARD_FLASH_ORIGIN + offset);
}

static uint32_t sector_at(uint32_t offset)
{
    if (offset < SMALL_END) {
        return offset / SMALL_SIZE;
    }
    return SMALL_END / SMALL_SIZE + offset / BOARD_FLASH_ERASE_SIZE;
}

static uint32_t sector_size(uint32_t offset)
{
    if (offset < SMALL_END) {
        return SMALL_SIZE;
    }
    return offset < MIDDLE_END ? MIDDLE_SIZE : BOARD_FLASH_ERASE_SIZE;
}

static void wait_ready(void)
{
    while ((FLASH_SR & FLASH_SR_BSY) != 0) {
    }
}

/* Old errors would refuse new work (3.6.4, programming errors). */
static void open(uint32_t control)
{
    wait_ready();
    if ((FLASH_CR & CR_LOCK) != 0) {
        FLASH_KEYR = KEY_1;
        FLASH_KEYR = KEY_2;
    }
    FLASH_SR = SR_ERRORS;
    FLASH_CR = CR_PSIZE_32 | control;
}

/* What the caches hold of an erased sector is old, and of a word that was programmed it is what was
 * to be written, not what the cell has become (3.6.5). They can be reset while they are off
 * (3.9.1).
 */
static void forget_cached(void)
{
    uint32_t access = FLASH_ACR;
    uint32_t off = access & ~(ACR_ICEN | ACR_DCEN);
    FLASH_ACR = off;
    FLASH_ACR = off | ACR_ICRST | ACR_DCRST;
    FLASH_ACR = off;
    FLASH_ACR = access;
}

/* False: there were errors. What is read from now on is what the flash has. */
static bool close(void)
{
    bool good = (FLASH_SR & SR_ERRORS) == 0;
    FLASH_CR = CR_LOCK;
    forget_cached();
    return good;
}

bool flash_erase(uint32_t offset)
{
    uint32_t erase = CR_SER | sector_at(offset) << CR_SNB;
    open(erase);
    FLASH_CR = CR_PSIZE_32 | erase | CR_STRT;
    wait_ready();
    return close() && nor_is_erased(flash_at(offset), sector_size(offset));
}

/* The barrier: BSY is set when the word has arrived (3.6.4). */
bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    open(CR_PG);
    for (uint32_t i = 0; i < length; i += 4) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)data + i, sizeof word);
        REG32(BOARD_FLASH_ORIGIN + offset + i) = word;
        __asm volatile("dsb" ::: "memory");
        wait_ready();
    }
    return close() && memcmp(flash_at(offset), data, length) == 0;
}
