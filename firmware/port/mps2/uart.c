/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/uart.h with the CMSDK APB UART (Arm DDI 0479, Cortex-M System Design Kit, 4.3).
 */
#include "hal/uart.h"

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define UART_DATA      REG32(BOARD_UART_BASE + 0x00)
#define UART_STATE     REG32(BOARD_UART_BASE + 0x04)
#define UART_CTRL      REG32(BOARD_UART_BASE + 0x08)
#define UART_INTSTATUS REG32(BOARD_UART_BASE + 0x0C) /* read; a 1 written clears */
#define UART_BAUDDIV   REG32(BOARD_UART_BASE + 0x10)

#define STATE_TX_FULL (1u << 0)
#define STATE_RX_FULL (1u << 1)
#define CTRL_TX_EN    (1u << 0)
#define CTRL_RX_EN    (1u << 1)
#define CTRL_RX_INT   (1u << 3)
#define INT_RX        (1u << 1)

void uart_start(void)
{
    UART_BAUDDIV = BOARD_UART_CLOCK_HZ / BOARD_UART_BAUD;
    UART_CTRL = CTRL_TX_EN | CTRL_RX_EN | CTRL_RX_INT;
    nvic_enable(BOARD_UART_IRQ);
}

void uart_write(const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        while ((UART_STATE & STATE_TX_FULL) != 0) {
        }
        UART_DATA = byte[i];
    }
}

/* The interrupt is cleared before the data is drained: the other way round, a byte that arrives
 * in between would never raise it again. */
void cortexm_uart_isr(void)
{
    UART_INTSTATUS = INT_RX;
    while ((UART_STATE & STATE_RX_FULL) != 0) {
        uart_on_receive((uint8_t)UART_DATA);
    }
}
