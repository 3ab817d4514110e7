/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/pin.h with a pin's SENSE and the event PORT (PS v1.11, chapters GPIO and GPIOTE), which cost
 * no current: a channel of GPIOTE would keep a clock running. SENSE waits for a level; at each
 * interrupt it is turned to the other one, so that a button that is held does not hide the edges of
 * other pins. LATCH tells of a pulse that is over before anybody looks.
 */
#include "hal/pin.h"

#include "port/nrf52/nrf52.h"

#define PIN_BIT (1u << BOARD_PIN_NUMBER)

static bool awaited; /* the level that SENSE waits for */

_Static_assert(BOARD_PIN_NUMBER < 32, "a pin of P0");

static bool is_there(void)
{
    return ((GPIO_IN & PIN_BIT) != 0) == awaited;
}

/* What shorts the pin to ground is a button or an open drain: it needs the pull-up. */
static void await(bool high)
{
    awaited = high;
    uint32_t pull = BOARD_PIN_RISING ? 0 : PIN_CNF_PULLUP;
    GPIO_PIN_CNF(BOARD_PIN_NUMBER) =
        PIN_CNF_INPUT | pull | (high ? PIN_CNF_SENSE_HIGH : PIN_CNF_SENSE_LOW);
    GPIO_LATCH = PIN_BIT;
    (void)GPIO_LATCH; /* erratum 173: it takes some cycles */
}

/* The level that it starts with is no edge. */
void pin_start(void)
{
    await(BOARD_PIN_RISING);
    while (is_there()) {
        await(!awaited);
    }
    CLEAR_EVENT(GPIOTE_PORT);
    GPIOTE_INTENSET = GPIOTE_INT_PORT;
    nvic_enable(BOARD_PIN_IRQ);
}

/* Comes for the line of the UART too, after a deep sleep: then nothing is there. */
void cortexm_pin_isr(void)
{
    bool edge = false;
    CLEAR_EVENT(GPIOTE_PORT);
    for (bool seen = is_there() || (GPIO_LATCH & PIN_BIT) != 0; seen; seen = is_there()) {
        edge = edge || awaited == BOARD_PIN_RISING;
        await(!awaited);
    }
    if (edge) {
        pin_on_edge();
    }
}
