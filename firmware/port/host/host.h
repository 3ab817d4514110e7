/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The PC as a board: interrupts are file descriptors that became readable, taken only where a
 * CPU with interrupts disabled would take them too: when they are enabled again.
 *
 * A reset is an exec() of the bootloader's program, a jump is one of the application's: the process
 * stays, and with it the serial connection and the RAM that a reset keeps. Ending the process is
 * what a power cut is to a chip, HOST_RESET_SIGNAL what its reset pin is.
 *
 *     boot.elf --flash FILE [--uart pty | --uart unix:PATH]
 *     firmware.elf [--uart pty | --uart unix:PATH]               without bootloader
 */
#ifndef PORT_HOST_HOST_H
#define PORT_HOST_HOST_H

#include <signal.h>

/* With --flash; it ends other processes. */
#define HOST_RESET_SIGNAL SIGUSR1

/* What the process was told, and what it has inherited from the program before. */
typedef struct {
    const char *name;  /* of the program, for messages */
    const char *uart;  /* "pty" or "unix:PATH" */
    const char *flash; /* name of a file, or NULL */
    int ram;           /* file descriptors: memory that a reset keeps */
    int boot;          /* the bootloader's program, the first one with --flash; -1: none */
    int serial;        /* the UART; -1: not open yet */
} host_process_t;

extern host_process_t host_process;

/* Ends the process with the reason of the last system call's failure. */
void host_fail(const char *what) __attribute__((noreturn));

/* Becomes another program, from a file descriptor, which finds host_process as it is. Returns if
 * that is no program. Callable from a signal handler. */
void host_execute(int program);

/* Reads what has arrived at the UART, if anything, and calls uart_on_receive() for each byte.
 * Ends the process when the other side has hung up. */
void host_uart_interrupt(void);

/* Waits until something has arrived or the UART can be written to, whichever is asked for. */
enum { HOST_READABLE = 1, HOST_WRITABLE = 2 };
void host_uart_wait(int what);

#endif
