/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/pin.h with a line of EXTI (RM0090: 12 EXTI, 9 SYSCFG, 8 GPIO), which wakes the chip from Stop
 * too. Pins 0 to 3 of port A, which have interrupts of their own.
 */
#include "hal/pin.h"

#include "port/stm32f4/stm32f4.h"

#define PIN_LINE (1u << BOARD_PIN_NUMBER)

_Static_assert(BOARD_PIN_NUMBER < 4 && BOARD_PIN_IRQ == 6 + BOARD_PIN_NUMBER, "see above");
_Static_assert(BOARD_PIN_BASE == EXTI_BASE, "what watches the pin");

/* After reset the pin is an input without a pull: the board has a resistor. What configuring may
 * have raised is no edge. */
void pin_start(void)
{
    stm32_clock_on(&RCC_AHB1ENR, AHB1ENR_GPIOAEN);
    stm32_clock_on(&RCC_APB2ENR, APB2ENR_SYSCFGEN);
    SYSCFG_EXTICR1 &= ~(0xFu << 4 * BOARD_PIN_NUMBER);
    if (BOARD_PIN_RISING) {
        EXTI_RTSR |= PIN_LINE;
    } else {
        EXTI_FTSR |= PIN_LINE;
    }
    EXTI_PR = PIN_LINE;
    EXTI_IMR |= PIN_LINE;
    nvic_enable(BOARD_PIN_IRQ);
}

void cortexm_pin_isr(void)
{
    EXTI_PR = PIN_LINE;
    pin_on_edge();
}
