/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cpu_sleep_deep() of the nRF52840 (PS v1.11, chapters POWER, CLOCK and GPIOTE): System ON, idle.
 * No register says so: it is where the chip is when the CPU sleeps and nobody asks for the
 * high-frequency clock. The UART does, so it is stopped, and its line watched as a pin; so does the
 * crystal of 32 MHz. The RTC goes on with the one of 32 kHz, and all RAM is kept.
 */
#include "hal/cpu.h"
#include "hal/uart.h"
#include "port/nrf52/nrf52.h"

#define LINE_BIT (1u << BOARD_UART_RX_PIN)

#define FPU_IRQ        38u
#define FPSCR_MEANINGS 0x9Fu /* what has happened: IDC, IXC, UFC, OFC, DZC, IOC */

/* What the FPU has noted keeps its interrupt pending, and the chip from its deepest sleep (erratum
 * 87). */
static void quieten_fpu(void)
{
    uint32_t fpscr;
    __asm volatile("vmrs %0, fpscr" : "=r"(fpscr));
    __asm volatile("vmsr fpscr, %0" ::"r"(fpscr & ~FPSCR_MEANINGS));
    nvic_forget(FPU_IRQ);
}

/* A start bit is a falling edge. Returns whether somebody else listens to the event PORT. */
static bool watch_line(void)
{
    bool shared = (GPIOTE_INTENSET & GPIOTE_INT_PORT) != 0;
    GPIO_LATCH = LINE_BIT;
    GPIO_PIN_CNF(BOARD_UART_RX_PIN) = PIN_CNF_INPUT | PIN_CNF_PULLUP | PIN_CNF_SENSE_LOW;
    GPIOTE_INTENSET = GPIOTE_INT_PORT;
    nvic_enable(BOARD_PIN_IRQ);
    return shared;
}

/* Who shares the event finds out that it was not for him. */
static void leave_line(bool shared)
{
    GPIO_PIN_CNF(BOARD_UART_RX_PIN) = PIN_CNF_INPUT | PIN_CNF_PULLUP;
    if (!shared) {
        GPIOTE_INTENCLR = GPIOTE_INT_PORT;
        CLEAR_EVENT(GPIOTE_PORT);
        nvic_forget(BOARD_PIN_IRQ);
    }
}

/* The line is watched before the UART stops listening: nothing begins unnoticed. What was heard and
 * lost is handed on as an end of line: who does not know of it would be asleep again before the
 * rest comes. */
void cpu_sleep_deep(void)
{
    bool shared = watch_line();
    bool heard = !nrf52_uart_stop();
    if (!heard) {
        quieten_fpu();
        cpu_sleep();
        heard = (GPIO_LATCH & LINE_BIT) != 0;
    }
    nrf52_uart_go_on();
    leave_line(shared);
    if (heard) {
        uart_on_receive('\n');
    }
}
