/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/boot.h as a process: an image holds a program of this computer.
 */
#include "hal/boot.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hal/cpu.h"
#include "hal/restart.h"
#include "port/host/host.h"

/* A file without a name that holds `length` bytes. */
static int file_of(const uint8_t *bytes, uint32_t length)
{
    int file = memfd_create("firmware", MFD_CLOEXEC);
    for (uint32_t done = 0; file >= 0 && done < length;) {
        ssize_t count = write(file, bytes + done, length - done);
        if (count < 0 && errno != EINTR) {
            host_fail("firmware");
        }
        done += count > 0 ? (uint32_t)count : 0;
    }
    return file;
}

void boot_jump(const uint8_t *payload, uint32_t length)
{
    int firmware = file_of(payload, length);
    if (firmware < 0) {
        host_fail("firmware");
    }
    host_execute(firmware);
    restart_note(RESTART_FAULT, SIGILL, 0, 0); /* it is no program */
    cpu_reset();
}
