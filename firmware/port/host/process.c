/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The arguments of the process, and how one program becomes the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "port/host/host.h"

host_process_t host_process = {.uart = "pty", .ram = -1, .boot = -1, .serial = -1};

void host_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static _Noreturn void explain(void)
{
    fprintf(stderr, "usage: %s [--uart pty | --uart unix:PATH] [--flash FILE] [--memory FILE]\n",
            host_process.name);
    exit(2);
}

static void read_argument(const char *name, const char *value)
{
    if (strcmp(name, "--uart") == 0) {
        host_process.uart = value;
    } else if (strcmp(name, "--flash") == 0) {
        host_process.flash = value;
    } else if (strcmp(name, "--memory") == 0) {
        host_process.memory = value;
    } else if (strcmp(name, "--inherit") != 0 ||
               sscanf(value, "%d,%d,%d", &host_process.ram, &host_process.boot,
                      &host_process.serial) != 3) {
        explain();
    }
}

/* main() of the firmware has no arguments; the C library hands them to constructors too. The first
 * of them: the others need what is read here. */
__attribute__((constructor(101))) static void read_arguments(int argc, char **argv)
{
    host_process.name = argv[0];
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) {
            explain();
        }
        read_argument(argv[i], argv[i + 1]);
    }
    if (host_process.flash != NULL && host_process.boot < 0) {
        host_process.boot = open("/proc/self/exe", O_RDONLY);
    }
}

/* Signals that come before the next program is ready for them wait until it is: the watchdog's
 * timer runs on meanwhile. */
static void hold_signals(void)
{
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGALRM);
    sigaddset(&held, HOST_RESET_SIGNAL);
    sigprocmask(SIG_BLOCK, &held, NULL);
}

/* Whoever presses the button now means the next program, which listens when it is ready. */
static void hold_reset(void)
{
    sigset_t reset;
    sigemptyset(&reset);
    sigaddset(&reset, HOST_RESET_SIGNAL);
    sigprocmask(SIG_BLOCK, &reset, NULL);
}

/* Appends an option that was given; returns how many words there are. */
static size_t add_argument(const char **arguments, size_t count, const char *name,
                           const char *value)
{
    if (value == NULL) {
        return count;
    }
    arguments[count] = name;
    arguments[count + 1] = value;
    return count + 2;
}

void host_execute(int program)
{
    hold_reset();
    char inherited[48];
    snprintf(inherited, sizeof inherited, "%d,%d,%d", host_process.ram, host_process.boot,
             host_process.serial);
    const char *arguments[10] = {
        host_process.name, "--inherit", inherited, "--uart", host_process.uart,
    };
    size_t count = 5;
    count = add_argument(arguments, count, "--flash", host_process.flash);
    add_argument(arguments, count, "--memory", host_process.memory);
    hold_signals();
    fexecve(program, (char *const *)arguments, environ);
}
