/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/uart.h as a pseudo terminal or a Unix socket: "pty" (the default) prints the path of the
 * terminal; "unix:PATH" listens at PATH and waits for one client. The process ends when the client
 * leaves the socket. A reset keeps both open.
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
        host_fail("pty");
    }
    const char *path = ptsname(master);
    int keep = open(path, O_RDWR | O_NOCTTY); /* stays open: clients come and go */
    struct termios settings;
    if (keep < 0 || tcgetattr(keep, &settings) != 0) {
        host_fail(path);
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
        host_fail(path);
    }
    strcpy(address.sun_path, path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1) != 0) {
        host_fail(path);
    }
    int client = accept(listener, NULL, NULL);
    if (client < 0) {
        host_fail(path);
    }
    close(listener);
    return client;
}

static int open_serial(void)
{
    const char *path = after(host_process.uart, "unix:");
    if (path != NULL) {
        return open_unix(path);
    }
    if (strcmp(host_process.uart, "pty") != 0) {
        fprintf(stderr, "unknown UART '%s': pty or unix:PATH\n", host_process.uart);
        exit(2);
    }
    return open_pty();
}

/* Takes a few bytes at a time; the rest stays in the kernel until the next call. Ends the process
 * when the other side has hung up. */
static void take_bytes(void)
{
    uint8_t bytes[64];
    ssize_t count = read(host_process.serial, bytes, sizeof bytes);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        exit(EXIT_SUCCESS);
    }
    for (ssize_t i = 0; i < count; i++) {
        uart_on_receive(bytes[i]);
    }
}

void uart_start(void)
{
    if (host_process.serial < 0) {
        host_process.serial = open_serial();
    }
    fcntl(host_process.serial, F_SETFL, O_NONBLOCK);
    host_listen(host_process.serial, take_bytes);
}

static void wait_until_writable(void)
{
    struct pollfd wait = {.fd = host_process.serial, .events = POLLOUT};
    while (poll(&wait, 1, -1) < 0) {
        if (errno != EINTR) {
            host_fail("poll");
        }
    }
}

void uart_write(const void *bytes, size_t length)
{
    const uint8_t *next = bytes;
    while (length != 0) {
        ssize_t count = write(host_process.serial, next, length);
        if (count > 0) {
            next += count;
            length -= (size_t)count;
        } else if (errno == EAGAIN) {
            wait_until_writable();
        } else if (errno != EINTR) {
            exit(EXIT_SUCCESS);
        }
    }
}
