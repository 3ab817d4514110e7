/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/uart.h with the nRF51's UART (nRF51 Series Reference Manual 3.0, chapter 29).
 */
#include "hal/uart.h"

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define UART_STARTRX  REG32(BOARD_UART_BASE + 0x000)
#define UART_STARTTX  REG32(BOARD_UART_BASE + 0x008)
#define UART_RXDRDY   REG32(BOARD_UART_BASE + 0x108)
#define UART_TXDRDY   REG32(BOARD_UART_BASE + 0x11C)
#define UART_INTENSET REG32(BOARD_UART_BASE + 0x304)
#define UART_ENABLE   REG32(BOARD_UART_BASE + 0x500)
#define UART_PSELTXD  REG32(BOARD_UART_BASE + 0x50C)
#define UART_PSELRXD  REG32(BOARD_UART_BASE + 0x514)
#define UART_RXD      REG32(BOARD_UART_BASE + 0x518)
#define UART_TXD      REG32(BOARD_UART_BASE + 0x51C)
#define UART_BAUDRATE REG32(BOARD_UART_BASE + 0x524)

/* Chapter 14, General-Purpose Input/Output. */
#define GPIO_BASE       0x50000000u
#define GPIO_OUTSET     REG32(GPIO_BASE + 0x508)
#define GPIO_PIN_CNF(n) REG32(GPIO_BASE + 0x700 + 4 * (n))

#define PIN_CNF_OUTPUT 3u /* DIR output, input buffer disconnected */
#define PIN_CNF_INPUT  0u /* DIR input, input buffer connected */
#define ENABLE_ENABLED 4u
#define INT_RXDRDY     (1u << 2)
#define BAUD_115200    0x01D7E000u

_Static_assert(BOARD_UART_BAUD == 115200, "BAUDRATE takes values of a table; add yours");

void uart_start(void)
{
    GPIO_OUTSET = 1u << BOARD_UART_TX_PIN; /* the level of an idle line */
    GPIO_PIN_CNF(BOARD_UART_TX_PIN) = PIN_CNF_OUTPUT;
    GPIO_PIN_CNF(BOARD_UART_RX_PIN) = PIN_CNF_INPUT;
    UART_PSELTXD = BOARD_UART_TX_PIN;
    UART_PSELRXD = BOARD_UART_RX_PIN;
    UART_BAUDRATE = BAUD_115200;
    UART_ENABLE = ENABLE_ENABLED;
    UART_RXDRDY = 0;
    UART_STARTRX = 1;
    UART_STARTTX = 1;
    UART_INTENSET = INT_RXDRDY;
    nvic_enable(BOARD_UART_IRQ);
}

void uart_write(const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        UART_TXDRDY = 0;
        UART_TXD = byte[i];
        while (UART_TXDRDY == 0) {
        }
    }
}

/* The event is cleared before RXD is read: reading moves the next byte of the six-byte buffer up
 * and raises the event again. */
void cortexm_uart_isr(void)
{
    while (UART_RXDRDY != 0) {
        UART_RXDRDY = 0;
        uart_on_receive((uint8_t)UART_RXD);
    }
}
