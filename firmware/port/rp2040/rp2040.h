/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What several files of this port share: registers of the RP2040 (RP2040 Datasheet: 2.14 resets,
 * 2.13 power-on state machine, 2.15 clocks, 2.19 GPIO, 4.6 timer, 4.7 watchdog), and calls between
 * them. For this port only.
 */
#ifndef PORT_RP2040_RP2040_H
#define PORT_RP2040_RP2040_H

#include <stdbool.h>
#include <stdint.h>

#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

/* Each register of a peripheral (not of the core, SIO or SSI) is there again at two more addresses:
 * what is written there sets bits, or clears them, at once (2.1.2, atomic register access). */
#define PLAIN 0x0000u
#define SET   0x2000u
#define CLEAR 0x3000u

#define RESETS_RESET(how)  REG32(0x4000C000u + (how))
#define RESETS_RESET_DONE  REG32(0x4000C008u)
#define RESET_IO_BANK0     (1u << 5)
#define RESET_PADS_BANK0   (1u << 8)
#define RESET_PLL_SYS      (1u << 12)
#define RESET_TIMER        (1u << 21)
#define RESET_UART0        (1u << 22)
#define PSM_WDSEL          REG32(0x40010008u) /* what the watchdog resets */
#define WDSEL_ALL_BUT_OSCS 0x1FFFCu           /* ROSC and XOSC are bits 0 and 1 */

#define CLOCKS_BASE      0x40008000u
#define CLOCKS_SLEEP_EN0 REG32(CLOCKS_BASE + 0xA8)
#define CLOCKS_SLEEP_EN1 REG32(CLOCKS_BASE + 0xAC)

#define IO_BANK0_CTRL(pin)  REG32(0x40014004u + 8 * (pin))
#define PADS_BANK0(pin)     REG32(0x4001C004u + 4 * (pin))
#define FUNCSEL_UART        2u
#define FUNCSEL_SIO         5u
#define PAD_INPUT           (1u << 6 | 1u << 1) /* input enabled, Schmitt trigger */
#define PAD_PULL_DOWN       (1u << 2)
#define PAD_PULL_UP         (1u << 3)
#define PAD_DRIVE_4_MA      (1u << 4)
#define PAD_OUTPUT_DISABLED (1u << 7)

#define TIMER_ALARM(n)    REG32(BOARD_TIMER_BASE + 0x10 + 4 * (n)) /* writing arms it */
#define TIMER_ARMED       REG32(BOARD_TIMER_BASE + 0x20)           /* a 1 written disarms */
#define TIMER_TIMERAWL    REG32(BOARD_TIMER_BASE + 0x28)
#define TIMER_INTR        REG32(BOARD_TIMER_BASE + 0x34) /* a 1 written clears */
#define TIMER_INTE(how)   REG32(BOARD_TIMER_BASE + 0x38 + (how))
#define ALARM_OF_CLOCK    0u
#define ALARM_OF_WATCHDOG 1u

#define WATCHDOG_CTRL(how)  REG32(BOARD_WATCHDOG_BASE + 0x00 + (how))
#define WATCHDOG_LOAD       REG32(BOARD_WATCHDOG_BASE + 0x04)
#define WATCHDOG_REASON     REG32(BOARD_WATCHDOG_BASE + 0x08)
#define WATCHDOG_SCRATCH(n) REG32(BOARD_WATCHDOG_BASE + 0x0C + 4 * (n)) /* 4 .. 7 are the ROM's */
#define WATCHDOG_TICK       REG32(BOARD_WATCHDOG_BASE + 0x2C)
#define CTRL_ENABLE         (1u << 30)
#define CTRL_TRIGGER        (1u << 31)

/* The scratch registers outlive every reset but those of power and of the pin RUN. */
#define SCRATCH_TOLD 2u /* that the last of those has been told (cause.c) */
#define SCRATCH_TIME 3u /* milliseconds of the watchdog, whichever program has started it */

/* Takes peripherals out of reset. */
static inline void rp2040_unreset(uint32_t bits)
{
    RESETS_RESET(CLEAR) = bits;
    while ((RESETS_RESET_DONE & bits) != bits) {
    }
}

/* chip.c: the CPU runs from the crystal, and the PLL is off; chip_start() is the way back. */
void chip_slow(void);

/* timer.c: when the hardware's count is that of hal/clock.h at `ticks`. */
uint32_t timer_raw(uint32_t ticks);

#endif
