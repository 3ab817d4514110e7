/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/pin.h with a signal, which a file descriptor makes an interrupt.
 */
#include "hal/pin.h"

#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "port/host/host.h"

static int edges;

static void take_edge(void)
{
    struct signalfd_siginfo edge;
    if (read(edges, &edge, sizeof edge) == sizeof edge) {
        pin_on_edge();
    }
}

void pin_start(void)
{
    sigset_t edge;
    sigemptyset(&edge);
    sigaddset(&edge, HOST_PIN_SIGNAL);
    sigprocmask(SIG_BLOCK, &edge, NULL);
    edges = signalfd(-1, &edge, SFD_NONBLOCK | SFD_CLOEXEC);
    if (edges < 0) {
        host_fail("pin");
    }
    host_listen(edges, take_edge);
}
