/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/flash.h as a file, which is made, erased, where there is none. What is written is in the file
 * when the function returns, even if the process is killed: the pages are the kernel's.
 */
#include "hal/flash.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gen/board_config.h"
#include "port/common/nor.h"
#include "port/host/host.h"

static uint8_t *cells;

static _Noreturn void refuse(const char *why)
{
    fprintf(stderr, "%s: %s\n", host_process.name, why);
    exit(2);
}

void flash_start(void)
{
    if (host_process.flash == NULL) {
        refuse("--flash FILE is missing");
    }
    int file = open(host_process.flash, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        host_fail(host_process.flash);
    }
    if (status.st_size != 0 && status.st_size != BOARD_FLASH_SIZE) {
        refuse("the file of --flash is not as long as the flash");
    }
    if (ftruncate(file, BOARD_FLASH_SIZE) != 0) {
        host_fail(host_process.flash);
    }
    cells = mmap(NULL, BOARD_FLASH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (cells == MAP_FAILED) {
        host_fail(host_process.flash);
    }
    close(file);
    if (status.st_size == 0) {
        nor_erase(cells, BOARD_FLASH_SIZE);
    }
}

const uint8_t *flash_at(uint32_t offset)
{
    return cells + offset;
}

/* A caller that breaks the contract of hal/flash.h is a bug, which a chip would not report. */
static void insist(uint32_t offset, uint32_t length, uint32_t unit)
{
    if (offset % unit != 0 || length % unit != 0 || length > BOARD_FLASH_SIZE ||
        offset > BOARD_FLASH_SIZE - length) {
        abort();
    }
}

bool flash_erase(uint32_t offset)
{
    insist(offset, BOARD_FLASH_ERASE_SIZE, BOARD_FLASH_ERASE_SIZE);
    nor_erase(cells + offset, BOARD_FLASH_ERASE_SIZE);
    return true;
}

bool flash_program(uint32_t offset, const void *data, uint32_t length)
{
    insist(offset, length, BOARD_FLASH_WRITE_SIZE);
    return nor_program(cells + offset, data, length);
}
