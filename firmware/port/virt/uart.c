/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/uart.h with a 16550 (National Semiconductor PC16550D data sheet, chapter 8) behind a
 * platform-level interrupt controller (RISC-V Platform-Level Interrupt Controller Specification
 * 1.0.0), whose context 0 is machine mode of the only core.
 */
#include "hal/uart.h"

#include "gen/board_config.h"
#include "port/riscv/riscv.h"

#define REG8(address) (*(volatile uint8_t *)(uintptr_t)(address))

#define UART_RBR REG8(BOARD_UART_BASE + 0) /* read: received byte */
#define UART_THR REG8(BOARD_UART_BASE + 0) /* write: byte to send */
#define UART_DLL REG8(BOARD_UART_BASE + 0) /* with LCR_DLAB: divisor, low byte */
#define UART_DLM REG8(BOARD_UART_BASE + 1) /* with LCR_DLAB: divisor, high byte */
#define UART_IER REG8(BOARD_UART_BASE + 1)
#define UART_LCR REG8(BOARD_UART_BASE + 3)
#define UART_LSR REG8(BOARD_UART_BASE + 5)

#define IER_ERBFI (1u << 0) /* interrupt when data are there */
#define LCR_8N1   3u
#define LCR_DLAB  (1u << 7)
#define LSR_DR    (1u << 0) /* data ready */
#define LSR_THRE  (1u << 5) /* room for a byte to send */

#define PLIC_BASE        0x0C000000u
#define PLIC_PRIORITY(n) REG32(PLIC_BASE + 4 * (n))
#define PLIC_ENABLE(n)   REG32(PLIC_BASE + 0x2000 + 4 * ((n) / 32))
#define PLIC_THRESHOLD   REG32(PLIC_BASE + 0x200000)
#define PLIC_CLAIM       REG32(PLIC_BASE + 0x200004) /* write the number back: complete */

enum { DIVISOR = BOARD_UART_CLOCK_HZ / (16 * BOARD_UART_BAUD) };

/* The FIFOs stay off, as after reset: to switch them on discards a byte that has come already. */
void uart_start(void)
{
    UART_LCR = LCR_DLAB;
    UART_DLL = DIVISOR & 0xFF;
    UART_DLM = DIVISOR >> 8;
    UART_LCR = LCR_8N1;
    UART_IER = IER_ERBFI;
    PLIC_PRIORITY(BOARD_UART_IRQ) = 1;
    PLIC_ENABLE(BOARD_UART_IRQ) = 1u << BOARD_UART_IRQ % 32;
    PLIC_THRESHOLD = 0;
}

void uart_write(const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        while ((UART_LSR & LSR_THRE) == 0) {
        }
        UART_THR = byte[i];
    }
}

/* The interrupt is a level: it stays until the last byte is taken. A claim of 0 is that of an
 * interrupt that has gone. */
void riscv_external_isr(void)
{
    uint32_t claimed = PLIC_CLAIM;
    if (claimed == 0) {
        return;
    }
    while ((UART_LSR & LSR_DR) != 0) {
        uart_on_receive(UART_RBR);
    }
    PLIC_CLAIM = claimed;
}
