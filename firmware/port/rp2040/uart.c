/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/uart.h with UART0, Arm's PL011 with two FIFOs of 32 bytes (RP2040 Datasheet, 4.2; Arm DDI
 * 0183). Its clock is the crystal, in deep sleep too: it goes on there, and what comes wakes the
 * CPU and is not lost.
 */
#include "hal/uart.h"

#include "port/rp2040/rp2040.h"

#define UARTDR    REG32(BOARD_UART_BASE + 0x00)
#define UARTFR    REG32(BOARD_UART_BASE + 0x18)
#define UARTIBRD  REG32(BOARD_UART_BASE + 0x24)
#define UARTFBRD  REG32(BOARD_UART_BASE + 0x28)
#define UARTLCR_H REG32(BOARD_UART_BASE + 0x2C)
#define UARTCR    REG32(BOARD_UART_BASE + 0x30)
#define UARTIFLS  REG32(BOARD_UART_BASE + 0x34)
#define UARTIMSC  REG32(BOARD_UART_BASE + 0x38)
#define UARTICR   REG32(BOARD_UART_BASE + 0x44)

#define FR_RXFE        (1u << 4)
#define FR_TXFF        (1u << 5)
#define LCR_8_BITS     (3u << 5)
#define LCR_FIFOS      (1u << 4)
#define CR_UARTEN      (1u << 0)
#define CR_TXE         (1u << 8)
#define CR_RXE         (1u << 9)
#define IFLS_RX_EIGHTH (0u << 3) /* four bytes */
#define INT_RX         (1u << 4)
#define INT_TIMEOUT    (1u << 6) /* there are some, and for 32 bits none has come */
#define INT_OVERRUN    (1u << 10)
#define INT_ALL        0x7FFu

/* In 64ths, rounded. */
#define DIVISOR_64THS ((8 * BOARD_UART_CLOCK_HZ / BOARD_UART_BAUD + 1) / 2)

_Static_assert(BOARD_UART_TX_PIN == 0 && BOARD_UART_RX_PIN == 1, "two of the pins of UART0");

static void use_pin(uint32_t pin, uint32_t pad)
{
    PADS_BANK0(pin) = pad;
    IO_BANK0_CTRL(pin) = FUNCSEL_UART;
}

/* A receiver without a pin sees a line that is low, and a transmitter drives its line as soon as it
 * has the pin. The divisor takes effect when the line control register is written. */
void uart_start(void)
{
    rp2040_unreset(RESET_IO_BANK0 | RESET_PADS_BANK0);
    use_pin(BOARD_UART_RX_PIN, PAD_INPUT | PAD_PULL_UP | PAD_OUTPUT_DISABLED);
    RESETS_RESET(SET) = RESET_UART0;
    rp2040_unreset(RESET_UART0);
    UARTIBRD = DIVISOR_64THS / 64;
    UARTFBRD = DIVISOR_64THS % 64;
    UARTLCR_H = LCR_8_BITS | LCR_FIFOS;
    UARTIFLS = IFLS_RX_EIGHTH;
    UARTCR = CR_UARTEN | CR_TXE | CR_RXE;
    use_pin(BOARD_UART_TX_PIN, PAD_DRIVE_4_MA);
    UARTICR = INT_ALL;
    UARTIMSC = INT_RX | INT_TIMEOUT;
    nvic_enable(BOARD_UART_IRQ);
}

void uart_write(const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        while ((UARTFR & FR_TXFF) != 0) {
        }
        UARTDR = byte[i];
    }
}

/* Both interrupts are down when the FIFO is empty. */
void cortexm_uart_isr(void)
{
    UARTICR = INT_RX | INT_TIMEOUT | INT_OVERRUN;
    while ((UARTFR & FR_RXFE) == 0) {
        uart_on_receive((uint8_t)UARTDR);
    }
}
