/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Memory that somebody has filled before the start: a file.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/host/host.h"

static const uint8_t *map_file(const char *name, uint32_t *bytes)
{
    int file = open(name, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        host_fail(name);
    }
    if (status.st_size == 0 || status.st_size > UINT32_MAX) {
        fprintf(stderr, "%s: the file of --memory %s is empty or too long\n", host_process.name,
                name);
        exit(2);
    }
    void *start = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (start == MAP_FAILED) {
        host_fail(name);
    }
    close(file);
    *bytes = (uint32_t)status.st_size;
    return start;
}

const uint8_t *host_memory(uint32_t *bytes)
{
    static const uint8_t *start;
    static uint32_t length;
    if (start == NULL && host_process.memory != NULL) {
        start = map_file(host_process.memory, &length);
    }
    *bytes = length;
    return start;
}
