/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/uart.h with USART2 on PA2 and PA3 (RM0090: 30 USART, 8 GPIO; data sheet DS8626, table of
 * alternate functions: AF7).
 */
#include "hal/uart.h"

#include "port/stm32f4/stm32f4.h"

#define USART_SR  REG32(BOARD_UART_BASE + 0x00)
#define USART_DR  REG32(BOARD_UART_BASE + 0x04)
#define USART_BRR REG32(BOARD_UART_BASE + 0x08)
#define USART_CR1 REG32(BOARD_UART_BASE + 0x0C)

#define USART_SR_ORE     (1u << 3) /* a byte was lost */
#define USART_SR_RXNE    (1u << 5)
#define USART_SR_TC      (1u << 6) /* nothing is left to send */
#define USART_SR_TXE     (1u << 7)
#define USART_CR1_RE     (1u << 2)
#define USART_CR1_TE     (1u << 3)
#define USART_CR1_RXNEIE (1u << 5) /* interrupt for RXNE, and for ORE */
#define USART_CR1_UE     (1u << 13)

#define AF_USART2 7u
#define RX_LINE   (1u << BOARD_UART_RX_PIN) /* of EXTI */
#define EXTI3_IRQ 9u

_Static_assert(BOARD_UART_RX_PIN == 3, "EXTI lines have interrupts of their own: this one's is 9");

static void set_mode(uint32_t pin, uint32_t mode)
{
    GPIOA_MODER = (GPIOA_MODER & ~(3u << 2 * pin)) | mode << 2 * pin;
}

static void use_pin(uint32_t pin)
{
    GPIOA_AFRL = (GPIOA_AFRL & ~(0xFu << 4 * pin)) | AF_USART2 << 4 * pin;
    set_mode(pin, MODER_ALTERNATE);
}

/* Pulled up, a line that nothing is connected to is idle. */
static void use_pins(void)
{
    stm32_clock_on(&RCC_AHB1ENR, AHB1ENR_GPIOAEN);
    GPIOA_PUPDR = (GPIOA_PUPDR & ~(3u << 2 * BOARD_UART_RX_PIN)) | PUPDR_UP
                                                                       << 2 * BOARD_UART_RX_PIN;
    use_pin(BOARD_UART_TX_PIN);
    use_pin(BOARD_UART_RX_PIN);
}

void uart_start(void)
{
    use_pins();
    stm32_clock_on(&RCC_APB1ENR, APB1ENR_USART2EN);
    USART_BRR = (BOARD_UART_CLOCK_HZ + BOARD_UART_BAUD / 2) / BOARD_UART_BAUD;
    USART_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_RXNEIE;
    nvic_enable(BOARD_UART_IRQ);
}

void uart_write(const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        while ((USART_SR & USART_SR_TXE) == 0) {
        }
        USART_DR = byte[i];
    }
}

/* Reading SR and then DR clears both flags. An overrun may be all that is there: the byte in DR was
 * taken already, the one behind it is lost. */
void cortexm_uart_isr(void)
{
    uint32_t status;
    while (((status = USART_SR) & (USART_SR_RXNE | USART_SR_ORE)) != 0) {
        uint8_t byte = (uint8_t)USART_DR;
        if ((status & USART_SR_RXNE) != 0) {
            uart_on_receive(byte);
        }
    }
}

static bool is_started(void)
{
    return (USART_CR1 & USART_CR1_UE) != 0;
}

/* A line that wakes the chip has to be an input (RM0090, 8.3.6), which the receiver must not take
 * for a byte. */
void uart_before_stop(void)
{
    if (!is_started()) {
        return;
    }
    while ((USART_SR & USART_SR_TC) == 0) {
    }
    USART_CR1 &= ~USART_CR1_RE;
    set_mode(BOARD_UART_RX_PIN, MODER_INPUT);
    stm32_clock_on(&RCC_APB2ENR, APB2ENR_SYSCFGEN);
    SYSCFG_EXTICR1 &= ~(0xFu << 4 * BOARD_UART_RX_PIN);
    EXTI_FTSR |= RX_LINE;
    EXTI_PR = RX_LINE;
    EXTI_IMR |= RX_LINE;
    nvic_enable(EXTI3_IRQ);
}

/* What woke the chip on the line is lost, and handed on as an end of line: who does not know of it
 * would be asleep again before the rest comes. */
void uart_after_stop(void)
{
    if (!is_started()) {
        return;
    }
    bool heard = (EXTI_PR & RX_LINE) != 0;
    stm32_line_off(RX_LINE, EXTI3_IRQ);
    set_mode(BOARD_UART_RX_PIN, MODER_ALTERNATE);
    USART_CR1 |= USART_CR1_RE;
    if (heard) {
        uart_on_receive('\n');
    }
}
