/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/uart.h with UART0 (TRM, UART Controller; IO MUX and GPIO Matrix), whose lines are the first
 * function of its two pins. Its clock is the crystal: it does not care which clock the CPU has.
 */
#include "hal/uart.h"

#include "port/esp32c3/esp32c3.h"

#define UART_FIFO     REG32(BOARD_UART_BASE + 0x00)
#define UART_INT_ENA  REG32(BOARD_UART_BASE + 0x0C)
#define UART_INT_CLR  REG32(BOARD_UART_BASE + 0x10)
#define UART_CLKDIV   REG32(BOARD_UART_BASE + 0x14)
#define UART_STATUS   REG32(BOARD_UART_BASE + 0x1C)
#define UART_CONF0    REG32(BOARD_UART_BASE + 0x20)
#define UART_CONF1    REG32(BOARD_UART_BASE + 0x24)
#define UART_CLK_CONF REG32(BOARD_UART_BASE + 0x78)
#define UART_ID       REG32(BOARD_UART_BASE + 0x80)

#define INT_RXFIFO_FULL       (1u << 0)
#define INT_RXFIFO_OVF        (1u << 4)
#define INT_RXFIFO_TOUT       (1u << 8)
#define CONF0_8N1             (3u << 2 | 1u << 4)
#define CONF0_MEM_CLK_EN      (1u << 28)
#define CONF1_RXFIFO_FULL(n)  ((n) << 0)
#define CONF1_TXFIFO_EMPTY(n) ((n) << 9)
#define CONF1_RX_TOUT_EN      (1u << 21)
#define CLK_CONF_XTAL         (3u << 20)
#define CLK_CONF_SCLK_EN      (1u << 22)
#define CLK_CONF_TX_SCLK_EN   (1u << 24)
#define CLK_CONF_RX_SCLK_EN   (1u << 25)
#define ID_REG_UPDATE         (1u << 31)

#define IO_MUX_GPIO(n) REG32(0x60009004u + 4 * (n))
#define FUN_WPU        (1u << 8)
#define FUN_IE         (1u << 9)
#define FUN_DRV_20_MA  (2u << 10)

#define RX_COUNT(status) ((status) & 0x3FF)
#define TX_COUNT(status) ((status) >> 16 & 0x3FF)

enum {
    FIFO_BYTES = 128,
    DIVISOR_16THS = (16 * BOARD_UART_CLOCK_HZ + BOARD_UART_BAUD / 2) / BOARD_UART_BAUD,
};

_Static_assert(BOARD_UART_TX_PIN == 21 && BOARD_UART_RX_PIN == 20, "UART0's own pins");
_Static_assert(DIVISOR_16THS / 16 < 4096, "the divisor has twelve bits");

static void esp32c3_uart_isr(void);

/* A byte interrupts at once; should the threshold mean "more than", the time-out behind it does. */
void uart_start(void)
{
    IO_MUX_GPIO(BOARD_UART_RX_PIN) = FUN_IE | FUN_WPU | FUN_DRV_20_MA;
    IO_MUX_GPIO(BOARD_UART_TX_PIN) = FUN_DRV_20_MA;
    UART_CLK_CONF = CLK_CONF_XTAL | CLK_CONF_SCLK_EN | CLK_CONF_TX_SCLK_EN | CLK_CONF_RX_SCLK_EN;
    UART_CLKDIV = DIVISOR_16THS / 16 | DIVISOR_16THS % 16 << 20;
    UART_CONF0 = CONF0_8N1 | CONF0_MEM_CLK_EN;
    UART_CONF1 = CONF1_RXFIFO_FULL(1u) | CONF1_TXFIFO_EMPTY(1u) | CONF1_RX_TOUT_EN;
    UART_ID = UART_ID | ID_REG_UPDATE;
    while ((UART_ID & ID_REG_UPDATE) != 0) {
    }
    UART_INT_CLR = UINT32_MAX;
    UART_INT_ENA = INT_RXFIFO_FULL | INT_RXFIFO_OVF | INT_RXFIFO_TOUT;
    interrupt_connect(BOARD_UART_IRQ, LINE_UART, esp32c3_uart_isr);
}

void uart_write(const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        while (TX_COUNT(UART_STATUS) >= FIFO_BYTES - 1) {
        }
        UART_FIFO = byte[i];
    }
}

/* Cleared before the bytes are taken: one that comes in between raises the interrupt again. */
static void esp32c3_uart_isr(void)
{
    UART_INT_CLR = INT_RXFIFO_FULL | INT_RXFIFO_OVF | INT_RXFIFO_TOUT;
    while (RX_COUNT(UART_STATUS) != 0) {
        uart_on_receive((uint8_t)UART_FIFO);
    }
}
