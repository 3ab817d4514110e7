/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/watchdog.h with the watchdog of timer group 0 (TRM, Watchdog Timers). Its first stage
 * interrupts, so that it can be said where the firmware hung (trap.c); the second, 16 ms
 * later, resets the core if nobody took the interrupt. Its clock is the crystal, and goes on while
 * the CPU sleeps. Registers are written behind a key and take effect by an update.
 */
#include "hal/watchdog.h"

#include "port/esp32c3/esp32c3.h"

#define TIMG_WDTCONFIG0     REG32(BOARD_WATCHDOG_BASE + 0x48)
#define TIMG_WDTCONFIG1     REG32(BOARD_WATCHDOG_BASE + 0x4C)
#define TIMG_WDTCONFIG2     REG32(BOARD_WATCHDOG_BASE + 0x50) /* ticks of stage 0 */
#define TIMG_WDTCONFIG3     REG32(BOARD_WATCHDOG_BASE + 0x54) /* of stage 1 */
#define TIMG_WDTFEED        REG32(BOARD_WATCHDOG_BASE + 0x60)
#define TIMG_WDTWPROTECT    REG32(BOARD_WATCHDOG_BASE + 0x64)
#define TIMG_INT_ENA_TIMERS REG32(BOARD_WATCHDOG_BASE + 0x70)
#define TIMG_INT_CLR_TIMERS REG32(BOARD_WATCHDOG_BASE + 0x7C)

#define WDT_EN              (1u << 31)
#define WDT_STG0_INTERRUPT  (1u << 29)
#define WDT_STG1_RESET      (3u << 27) /* of the core: all but the RTC */
#define WDT_CONF_UPDATE_EN  (1u << 22)
#define WDT_USE_XTAL        (1u << 21)
#define WDT_RESET_LENGTHS   (7u << 18 | 7u << 15) /* 3.2 us */
#define WDT_CLK_PRESCALE(n) ((n) << 16)
#define WDT_DIVCNT_RST      (1u << 0)
#define WDT_INT             (1u << 1)
#define WDT_KEY             0x50D83AA1u

#define XTAL_HZ    40000000u
#define WARNING_MS 16u

_Static_assert(BOARD_WATCHDOG_HZ == 1000, "a tick is a millisecond");
_Static_assert(XTAL_HZ / BOARD_WATCHDOG_HZ < 65536, "the prescaler has sixteen bits");

void watchdog_start(uint32_t milliseconds)
{
    TIMG_WDTWPROTECT = WDT_KEY;
    TIMG_WDTCONFIG0 = WDT_USE_XTAL | WDT_CONF_UPDATE_EN; /* off */
    TIMG_WDTCONFIG1 = WDT_CLK_PRESCALE(XTAL_HZ / BOARD_WATCHDOG_HZ) | WDT_DIVCNT_RST;
    TIMG_WDTCONFIG2 = milliseconds;
    TIMG_WDTCONFIG3 = WARNING_MS;
    TIMG_WDTFEED = 1;
    TIMG_INT_CLR_TIMERS = WDT_INT;
    TIMG_INT_ENA_TIMERS = WDT_INT;
    TIMG_WDTCONFIG0 = WDT_EN | WDT_STG0_INTERRUPT | WDT_STG1_RESET | WDT_RESET_LENGTHS |
                      WDT_USE_XTAL | WDT_CONF_UPDATE_EN;
    TIMG_WDTWPROTECT = 0;
}

void watchdog_feed(void)
{
    TIMG_WDTWPROTECT = WDT_KEY;
    TIMG_WDTFEED = 1;
    TIMG_WDTWPROTECT = 0;
}

void watchdog_stop(void)
{
    TIMG_WDTWPROTECT = WDT_KEY;
    TIMG_WDTCONFIG0 = WDT_USE_XTAL | WDT_CONF_UPDATE_EN;
    TIMG_INT_ENA_TIMERS = 0;
    TIMG_INT_CLR_TIMERS = WDT_INT;
    TIMG_WDTWPROTECT = 0;
}
