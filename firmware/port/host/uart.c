/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/uart.h as a pseudo terminal or a Unix socket:
 *
 *     firmware.elf [--uart pty[:LINK] | --uart unix:PATH]
 *
 * pty (the default) prints the path of the terminal, and makes LINK point to it; unix listens at
 * PATH and waits for one client. The process ends when the client leaves the socket.
 */
#include "hal/uart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "port/host/host.h"

static const char *uart_argument = "pty";
static int uart = -1;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* main() of the firmware has no arguments; the C library hands them to constructors too. */
__attribute__((constructor)) static void read_arguments(int argc, char **argv)
{
    if (argc == 1) {
        return;
    }
    if (argc != 3 || strcmp(argv[1], "--uart") != 0) {
        fprintf(stderr, "usage: %s [--uart pty[:LINK] | --uart unix:PATH]\n", argv[0]);
        exit(2);
    }
    uart_argument = argv[2];
}

/* If `text` begins with `prefix`, what follows it; else NULL. */
static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static int open_pty(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        fail("pty");
    }
    const char *path = ptsname(master);
    int keep = open(path, O_RDWR | O_NOCTTY); /* stays open: clients come and go */
    struct termios settings;
    if (keep < 0 || tcgetattr(keep, &settings) != 0) {
        fail(path);
    }
    cfmakeraw(&settings);
    tcsetattr(keep, TCSANOW, &settings);
    printf("uart: %s\n", path);
    fflush(stdout);
    return master;
}

static int open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    strcpy(address.sun_path, path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1) != 0) {
        fail(path);
    }
    int client = accept(listener, NULL, NULL);
    if (client < 0) {
        fail(path);
    }
    close(listener);
    return client;
}

void uart_start(void)
{
    const char *path = after(uart_argument, "unix:");
    if (path != NULL) {
        uart = open_unix(path);
    } else if (strcmp(uart_argument, "pty") == 0) {
        uart = open_pty();
    } else {
        fprintf(stderr, "unknown UART '%s': pty or unix:PATH\n", uart_argument);
        exit(2);
    }
    fcntl(uart, F_SETFL, O_NONBLOCK);
}

void host_uart_wait(int what)
{
    struct pollfd wait = {.fd = uart};
    wait.events =
        (short)((what & HOST_READABLE ? POLLIN : 0) | (what & HOST_WRITABLE ? POLLOUT : 0));
    while (poll(&wait, 1, -1) < 0) {
        if (errno != EINTR) {
            fail("poll");
        }
    }
}

/* Takes a few bytes at a time; the rest stays in the kernel until the next call. */
void host_uart_interrupt(void)
{
    uint8_t bytes[64];
    ssize_t count = read(uart, bytes, sizeof bytes);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        exit(EXIT_SUCCESS);
    }
    for (ssize_t i = 0; i < count; i++) {
        uart_on_receive(bytes[i]);
    }
}

void uart_write(const void *bytes, size_t length)
{
    const uint8_t *next = bytes;
    while (length != 0) {
        ssize_t count = write(uart, next, length);
        if (count > 0) {
            next += count;
            length -= (size_t)count;
        } else if (errno == EAGAIN) {
            host_uart_wait(HOST_WRITABLE);
        } else if (errno != EINTR) {
            exit(EXIT_SUCCESS);
        }
    }
}
