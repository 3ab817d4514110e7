/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/uart.h with the UARTE (PS v1.11, chapters UARTE, EasyDMA, PPI and TIMER). The DMA receives
 * round and round into a ring: the shortcut from ENDRX to STARTRX begins anew at its start, with
 * the same pointer. So nothing is lost while the CPU stands still for the flash, whatever comes at
 * the end of the ring; 256 bytes are 22 ms at 115,200 baud.
 *
 * RXDRDY interrupts for each byte, but is likely to come before the byte is in RAM, and the DMA
 * does not say how far it is before the ring is full. So places that have been read are marked:
 * what is not the mark is a byte that has arrived. A byte that looks like the mark is told from
 * none by TIMER1, which counts RXDRDY by PPI channel 0.
 */
#include "hal/uart.h"

#include <string.h>

#include "hal/cpu.h"
#include "port/nrf52/nrf52.h"

#define UARTE_STARTRX   REG32(BOARD_UART_BASE + 0x000)
#define UARTE_STOPRX    REG32(BOARD_UART_BASE + 0x004)
#define UARTE_STARTTX   REG32(BOARD_UART_BASE + 0x008)
#define UARTE_STOPTX    REG32(BOARD_UART_BASE + 0x00C)
#define UARTE_RXDRDY    REG32(BOARD_UART_BASE + 0x108)
#define UARTE_ENDTX     REG32(BOARD_UART_BASE + 0x120)
#define UARTE_RXTO      REG32(BOARD_UART_BASE + 0x144)
#define UARTE_TXSTOPPED REG32(BOARD_UART_BASE + 0x158)
#define UARTE_SHORTS    REG32(BOARD_UART_BASE + 0x200)
#define UARTE_INTENSET  REG32(BOARD_UART_BASE + 0x304)
#define UARTE_INTENCLR  REG32(BOARD_UART_BASE + 0x308)
#define UARTE_ENABLE    REG32(BOARD_UART_BASE + 0x500)
#define UARTE_PSEL_TXD  REG32(BOARD_UART_BASE + 0x50C)
#define UARTE_PSEL_RXD  REG32(BOARD_UART_BASE + 0x514)
#define UARTE_BAUDRATE  REG32(BOARD_UART_BASE + 0x524)
#define UARTE_RXD_PTR   REG32(BOARD_UART_BASE + 0x534)
#define UARTE_RXD_COUNT REG32(BOARD_UART_BASE + 0x538) /* MAXCNT */
#define UARTE_TXD_PTR   REG32(BOARD_UART_BASE + 0x544)
#define UARTE_TXD_COUNT REG32(BOARD_UART_BASE + 0x548) /* MAXCNT */

#define TIMER_BASE      0x40009000u /* TIMER1 */
#define TIMER_START     REG32(TIMER_BASE + 0x000)
#define TIMER_COUNT     (TIMER_BASE + 0x008) /* for the PPI */
#define TIMER_CLEAR     REG32(TIMER_BASE + 0x00C)
#define TIMER_SHUTDOWN  REG32(TIMER_BASE + 0x010)
#define TIMER_CAPTURE_0 REG32(TIMER_BASE + 0x040)
#define TIMER_MODE      REG32(TIMER_BASE + 0x504)
#define TIMER_BITMODE   REG32(TIMER_BASE + 0x508)
#define TIMER_CC_0      REG32(TIMER_BASE + 0x540)

#define PPI_BASE     0x4001F000u
#define PPI_CHENSET  REG32(PPI_BASE + 0x504)
#define PPI_CH_0_EEP REG32(PPI_BASE + 0x510)
#define PPI_CH_0_TEP REG32(PPI_BASE + 0x514)

#define ENABLE_ENABLED      8u
#define ENABLE_DISABLED     0u
#define BAUD_115200         0x01D60000u
#define INT_RXDRDY          (1u << 2)
#define INT_RXTO            (1u << 17)
#define SHORT_ENDRX_STARTRX (1u << 5)
#define MODE_COUNTER        1u
#define BITMODE_32          3u

#define RING_BYTES 256u
#define MARK       0xFFu /* not in text, so that it is rarely a byte */
#define PATIENCE   100u  /* looks, some 10 us, for a byte that has been counted */
#define SENT_BYTES 64u   /* at once: the DMA reads nothing but RAM */

_Static_assert(BOARD_UART_BAUD == 115200, "BAUDRATE takes values of a table; add yours");

static volatile uint8_t ring[RING_BYTES];
static uint32_t taken; /* bytes, of those that the timer has counted */
static uint8_t sent[SENT_BYTES];

static void mark_ring(void)
{
    for (uint32_t i = 0; i < RING_BYTES; i++) {
        ring[i] = MARK;
    }
}

static void start_receiving(void)
{
    mark_ring();
    taken = 0;
    TIMER_CLEAR = 1;
    TIMER_START = 1;
    UARTE_RXD_PTR = (uint32_t)(uintptr_t)ring;
    UARTE_RXD_COUNT = RING_BYTES;
    UARTE_SHORTS = SHORT_ENDRX_STARTRX;
    UARTE_ENABLE = ENABLE_ENABLED;
    UARTE_STARTRX = 1;
}

/* The oscillator without crystal is too far off for a UART. It goes on meanwhile. */
static void start_crystal(void)
{
    CLOCK_HFCLKSTART = 1;
}

static void await_crystal(void)
{
    while ((CLOCK_HFCLKSTAT & CLOCKSTAT_XTAL) == 0) {
    }
}

static void set_up_counter(void)
{
    TIMER_MODE = MODE_COUNTER;
    TIMER_BITMODE = BITMODE_32;
    PPI_CH_0_EEP = BOARD_UART_BASE + 0x108;
    PPI_CH_0_TEP = TIMER_COUNT;
    PPI_CHENSET = 1u << 0;
}

void uart_start(void)
{
    start_crystal();
    GPIO_OUTSET = 1u << BOARD_UART_TX_PIN; /* the level of an idle line */
    GPIO_PIN_CNF(BOARD_UART_TX_PIN) = PIN_CNF_OUTPUT;
    GPIO_PIN_CNF(BOARD_UART_RX_PIN) = PIN_CNF_INPUT | PIN_CNF_PULLUP;
    UARTE_PSEL_TXD = BOARD_UART_TX_PIN;
    UARTE_PSEL_RXD = BOARD_UART_RX_PIN;
    UARTE_BAUDRATE = BAUD_115200;
    set_up_counter();
    await_crystal();
    start_receiving();
    UARTE_INTENSET = INT_RXDRDY;
    nvic_enable(BOARD_UART_IRQ);
}

static void send(uint32_t length)
{
    UARTE_TXD_PTR = (uint32_t)(uintptr_t)sent;
    UARTE_TXD_COUNT = length;
    UARTE_ENDTX = 0;
    UARTE_STARTTX = 1;
    while (UARTE_ENDTX == 0) {
    }
}

/* A transmitter that is not stopped draws current. */
static void stop_sending(void)
{
    UARTE_TXSTOPPED = 0;
    UARTE_STOPTX = 1;
    while (UARTE_TXSTOPPED == 0) {
    }
}

void uart_write(const void *bytes, size_t length)
{
    const uint8_t *next = bytes;
    if (length == 0) {
        return;
    }
    await_crystal();
    while (length != 0) {
        uint32_t part = length < SENT_BYTES ? (uint32_t)length : SENT_BYTES;
        memcpy(sent, next, part);
        send(part);
        next += part;
        length -= part;
    }
    stop_sending();
}

/* How many bytes have been counted that were not taken; below 0 where the count lags behind. */
static int32_t waiting(void)
{
    TIMER_CAPTURE_0 = 1;
    return (int32_t)(TIMER_CC_0 - taken);
}

/* Says whether the next byte has arrived. One that was counted is in RAM within a microsecond; if
 * there is still the mark then, it is the byte. */
static bool has_next(int32_t counted)
{
    const volatile uint8_t *place = &ring[taken % RING_BYTES];
    for (uint32_t i = 0; *place == MARK; i++) {
        if (counted <= 0) {
            return false;
        }
        if (i == PATIENCE) {
            return true;
        }
    }
    return true;
}

static uint8_t take(void)
{
    volatile uint8_t *place = &ring[taken % RING_BYTES];
    uint8_t byte = *place;
    *place = MARK;
    taken++;
    return byte;
}

/* Hands on what has arrived: all that is in RAM, and what is counted. A CPU that was halted for
 * longer than the ring lasts, by a debugger, hands on wrong bytes, but as many as there were.
 * Returns whether there was anything. */
static bool receive(int32_t counted)
{
    uint32_t before = taken;
    while (has_next(counted)) {
        counted--;
        uart_on_receive(take());
    }
    return taken != before;
}

/* The event is cleared first: what comes meanwhile raises it again. */
void cortexm_uart_isr(void)
{
    CLEAR_EVENT(UARTE_RXDRDY);
    (void)receive(waiting());
}

/* It takes four bytes' time until the receiver stands still; the CPU sleeps. The shortcut would
 * start it again. */
static void stop_receiving(void)
{
    UARTE_SHORTS = 0;
    UARTE_RXTO = 0;
    UARTE_INTENSET = INT_RXTO;
    UARTE_STOPRX = 1;
    while (UARTE_RXTO == 0) {
        cpu_sleep();
    }
    UARTE_INTENCLR = INT_RXTO;
    CLEAR_EVENT(UARTE_RXTO);
}

/* What comes while it stops may stay in the receiver and be lost, but was heard: RXDRDY tells.
 * SHUTDOWN and not STOP: a timer that is only stopped draws current (erratum 78). */
bool nrf52_uart_stop(void)
{
    stop_receiving();
    bool heard = UARTE_RXDRDY != 0;
    CLEAR_EVENT(UARTE_RXDRDY);
    heard = receive(0) || heard;
    nvic_forget(BOARD_UART_IRQ);
    UARTE_ENABLE = ENABLE_DISABLED;
    TIMER_SHUTDOWN = 1;
    CLOCK_HFCLKSTOP = 1;
    return !heard;
}

/* Sending waits for the crystal; what comes earlier may be received wrongly, as cpu_sleep_deep()
 * says. */
void nrf52_uart_go_on(void)
{
    start_crystal();
    start_receiving();
}
