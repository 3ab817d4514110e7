/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The board's console UART: bytes out, and an interrupt for every byte that comes in. Base
 * address, interrupt, clock and baud rate are facts of boards/<board>/board.toml.
 */
#ifndef HAL_UART_H
#define HAL_UART_H

#include <stddef.h>
#include <stdint.h>

/* Starts the UART: 8 data bits, no parity, 1 stop bit, no flow control. From the next
 * cpu_irq_restore() on, uart_on_receive() is called. Call once, with interrupts disabled. */
void uart_start(void);

/* Sends `length` bytes. Blocks until the last byte is accepted by the hardware (it may still be
 * on the wire). Bytes are received meanwhile if interrupts are enabled. Not from an interrupt. */
void uart_write(const void *bytes, size_t length);

/* Implemented by the application: called for each received byte, from the receive interrupt, in
 * the order of arrival. Must return within one byte time and must not call the HAL. */
void uart_on_receive(uint8_t byte);

#endif
