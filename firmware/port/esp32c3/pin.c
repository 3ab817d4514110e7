/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/pin.h with an edge of a GPIO (TRM, IO MUX and GPIO Matrix).
 */
#include "hal/pin.h"

#include "port/esp32c3/esp32c3.h"

#define GPIO_STATUS_W1TC REG32(BOARD_PIN_BASE + 0x4C)
#define GPIO_PIN(n)      REG32(BOARD_PIN_BASE + 0x74 + 4 * (n))
#define IO_MUX_GPIO(n)   REG32(0x60009004u + 4 * (n))

#define PIN_RISING  (1u << 7)
#define PIN_FALLING (2u << 7)
#define PIN_INT_ENA (1u << 13)
#define FUN_WPU     (1u << 8)
#define FUN_IE      (1u << 9)
#define MCU_GPIO    (1u << 12) /* the second function of every pin */

static void esp32c3_pin_isr(void)
{
    GPIO_STATUS_W1TC = 1u << BOARD_PIN_NUMBER;
    pin_on_edge();
}

void pin_start(void)
{
    IO_MUX_GPIO(BOARD_PIN_NUMBER) = FUN_IE | FUN_WPU | MCU_GPIO;
    GPIO_PIN(BOARD_PIN_NUMBER) = (BOARD_PIN_RISING ? PIN_RISING : PIN_FALLING) | PIN_INT_ENA;
    GPIO_STATUS_W1TC = 1u << BOARD_PIN_NUMBER;
    interrupt_connect(BOARD_PIN_IRQ, LINE_PIN, esp32c3_pin_isr);
}
