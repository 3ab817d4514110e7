/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Registers of the nRF52840 that several drivers use, named as in the Product Specification (PS)
 * v1.11, chapters CLOCK, GPIO and GPIOTE, and what the files of this folder share. For this port
 * only.
 */
#ifndef PORT_NRF52_NRF52_H
#define PORT_NRF52_NRF52_H

#include <stdbool.h>
#include <stdint.h>

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

#define CLOCK_BASE        0x40000000u
#define CLOCK_HFCLKSTART  REG32(CLOCK_BASE + 0x000)
#define CLOCK_HFCLKSTOP   REG32(CLOCK_BASE + 0x004)
#define CLOCK_LFCLKSTART  REG32(CLOCK_BASE + 0x008)
#define CLOCK_HFCLKSTAT   REG32(CLOCK_BASE + 0x40C)
#define CLOCK_LFCLKRUN    REG32(CLOCK_BASE + 0x414)
#define CLOCK_LFCLKSTAT   REG32(CLOCK_BASE + 0x418)
#define CLOCK_LFCLKSRC    REG32(CLOCK_BASE + 0x518)
#define CLOCKSTAT_XTAL    (1u << 0)
#define CLOCKSTAT_RUNNING (1u << 16)
#define LFCLKSRC_XTAL     1u

#define GPIO_BASE       0x50000000u /* P0 */
#define GPIO_OUTSET     REG32(GPIO_BASE + 0x508)
#define GPIO_IN         REG32(GPIO_BASE + 0x510)
#define GPIO_LATCH      REG32(GPIO_BASE + 0x520)
#define GPIO_PIN_CNF(n) REG32(GPIO_BASE + 0x700 + 4 * (n))

#define PIN_CNF_INPUT      0u /* DIR input, input buffer connected */
#define PIN_CNF_OUTPUT     3u /* DIR output, input buffer disconnected */
#define PIN_CNF_PULLUP     (3u << 2)
#define PIN_CNF_SENSE_HIGH (2u << 16)
#define PIN_CNF_SENSE_LOW  (3u << 16)

/* PORT: one event for all pins, raised when the first of them reads what SENSE waits for. Needs no
 * clock, unlike the eight channels of GPIOTE. */
#define GPIOTE_PORT     REG32(BOARD_PIN_BASE + 0x17C)
#define GPIOTE_INTENSET REG32(BOARD_PIN_BASE + 0x304)
#define GPIOTE_INTENCLR REG32(BOARD_PIN_BASE + 0x308)
#define GPIOTE_INT_PORT (1u << 31)

/* Clears an event and waits until that has reached the peripheral (PS, "Interrupt clearing"): an
 * interrupt handler that returns earlier is called once more for nothing. */
#define CLEAR_EVENT(event)                                                                         \
    do {                                                                                           \
        (event) = 0;                                                                               \
        (void)(event);                                                                             \
    } while (0)

/* timer.c: what an interrupt of the RTC has to do for the clock. */
void nrf52_clock_isr(void);

/* uart.c: stops receiver and transmitter, which else keep the high-frequency clock running. Returns
 * false if a byte has come meanwhile, which may have been lost. With interrupts disabled. */
bool nrf52_uart_stop(void);

/* uart.c: goes on as after uart_start(). With interrupts disabled. */
void nrf52_uart_go_on(void);

#endif
