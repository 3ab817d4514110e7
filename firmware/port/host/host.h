/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The PC as a board: interrupts are file descriptors that became readable, taken only where a
 * CPU with interrupts disabled would take them too: when they are enabled again.
 */
#ifndef PORT_HOST_HOST_H
#define PORT_HOST_HOST_H

/* Reads what has arrived at the UART, if anything, and calls uart_on_receive() for each byte.
 * Ends the process when the other side has hung up. */
void host_uart_interrupt(void);

/* Waits until something has arrived or the UART can be written to, whichever is asked for. */
enum { HOST_READABLE = 1, HOST_WRITABLE = 2 };
void host_uart_wait(int what);

#endif
