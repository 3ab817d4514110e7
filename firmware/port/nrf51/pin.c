/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/pin.h with channel 0 of GPIOTE (nRF51 Series Reference Manual 3.0, chapter 15). QEMU 7.2 has
 * no GPIOTE: there no edge is ever seen.
 */
#include "hal/pin.h"

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define GPIOTE_IN_0     REG32(BOARD_PIN_BASE + 0x100)
#define GPIOTE_INTENSET REG32(BOARD_PIN_BASE + 0x304)
#define GPIOTE_CONFIG_0 REG32(BOARD_PIN_BASE + 0x510)

/* Chapter 14, General-Purpose Input/Output. */
#define GPIO_PIN_CNF(n) REG32(0x50000000u + 0x700 + 4 * (n))

#define PIN_CNF_INPUT 0u /* DIR input, input buffer connected, no pull: the board has resistors */
#define INT_IN_0      (1u << 0)
#define CONFIG_EVENT  1u
#define CONFIG_PSEL   8
#define CONFIG_RISING (1u << 16)
#define CONFIG_FALL   (2u << 16)

/* What configuring may have raised is no edge. */
void pin_start(void)
{
    GPIO_PIN_CNF(BOARD_PIN_NUMBER) = PIN_CNF_INPUT;
    GPIOTE_CONFIG_0 = CONFIG_EVENT | BOARD_PIN_NUMBER << CONFIG_PSEL |
                      (BOARD_PIN_RISING ? CONFIG_RISING : CONFIG_FALL);
    GPIOTE_IN_0 = 0;
    GPIOTE_INTENSET = INT_IN_0;
    nvic_enable(BOARD_PIN_IRQ);
}

void cortexm_pin_isr(void)
{
    GPIOTE_IN_0 = 0;
    pin_on_edge();
}
