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
 *     boot.elf --flash FILE [--uart pty | --uart unix:PATH] [--memory FILE]
 *     firmware.elf [--uart pty | --uart unix:PATH] [--memory FILE]          without bootloader
 *
 * HOST_PIN_SIGNAL is an edge at the pin of hal/pin.h; --memory is a file that is there to be read,
 * as a debug probe would have loaded it.
 */
#ifndef PORT_HOST_HOST_H
#define PORT_HOST_HOST_H

#include <signal.h>
#include <stdint.h>

/* With --flash; it ends other processes. */
#define HOST_RESET_SIGNAL SIGUSR1

/* Ignored by whoever does not wait for it; nothing else sends it to a process like this. */
#define HOST_PIN_SIGNAL SIGURG

/* What the process was told, and what it has inherited from the program before. */
typedef struct {
    const char *name;   /* of the program, for messages */
    const char *uart;   /* "pty" or "unix:PATH" */
    const char *flash;  /* name of a file, or NULL */
    const char *memory; /* name of a file, or NULL */
    int ram;            /* file descriptors: memory that a reset keeps */
    int boot;           /* the bootloader's program, the first one with --flash; -1: none */
    int serial;         /* the UART; -1: not open yet */
} host_process_t;

extern host_process_t host_process;

/* Ends the process with the reason of the last system call's failure. */
void host_fail(const char *what) __attribute__((noreturn));

/* Becomes another program, from a file descriptor, which finds host_process as it is. Returns if
 * that is no program. Callable from a signal handler. */
void host_execute(int program);

/* From now on the CPU wakes when `file` becomes readable, and `take` is called as its interrupt
 * handler: whenever interrupts are enabled, readable or not. */
void host_listen(int file, void (*take)(void));

/* The content of the file of --memory and its length; NULL and 0 if there is none. Ends the process
 * if it cannot be read. */
const uint8_t *host_memory(uint32_t *bytes);

#endif
