/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/pin.h with an edge of a GPIO (RP2040 Datasheet, 2.19), which is latched, in deep sleep too.
 */
#include "hal/pin.h"

#include "port/rp2040/rp2040.h"

/* Four bits a pin, eight pins a register. */
#define INTR            REG32(BOARD_PIN_BASE + 0xF0 + BOARD_PIN_NUMBER / 8 * 4) /* a 1 clears */
#define PROC0_INTE(how) REG32(BOARD_PIN_BASE + 0x100 + BOARD_PIN_NUMBER / 8 * 4 + (how))
#define EDGE_LOW        2u
#define EDGE_HIGH       3u
#define EDGE (1u << (BOARD_PIN_NUMBER % 8 * 4 + (BOARD_PIN_RISING ? EDGE_HIGH : EDGE_LOW)))

/* Pulled up, or down where its edge is the rising one. What configuring may have raised is no edge.
 */
void pin_start(void)
{
    rp2040_unreset(RESET_IO_BANK0 | RESET_PADS_BANK0);
    PADS_BANK0(BOARD_PIN_NUMBER) =
        PAD_INPUT | PAD_OUTPUT_DISABLED | (BOARD_PIN_RISING ? PAD_PULL_DOWN : PAD_PULL_UP);
    IO_BANK0_CTRL(BOARD_PIN_NUMBER) = FUNCSEL_SIO;
    INTR = EDGE;
    PROC0_INTE(SET) = EDGE;
    nvic_enable(BOARD_PIN_IRQ);
}

void cortexm_pin_isr(void)
{
    INTR = EDGE;
    pin_on_edge();
}
