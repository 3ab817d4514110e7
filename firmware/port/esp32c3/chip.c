/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * chip.h: clocks, watchdogs of the ROM, brown-out, and the flash where nobody has mapped it (TRM,
 * Reset and Clock; Watchdog Timers; Low-Power Management; System Registers).
 *
 * The PLL runs at 480 MHz when the ROM is done; only who is fed by it changes here. 80 MHz: the
 * 160 MHz would want the supply of the digital core as calibrated in the eFuses.
 */
#include "port/bare/chip.h"

#include "port/esp32c3/esp32c3.h"

#define SYSTEM_CPU_PER_CONF REG32(0x600C0008u)
#define SYSTEM_SYSCLK_CONF  REG32(0x600C0058u)

#define CPUPERIOD_SEL          (3u << 0) /* 0: 80 MHz */
#define PLL_FREQ_SEL           (1u << 2) /* 480 MHz */
#define CPU_WAIT_MODE_FORCE_ON (1u << 3) /* the CPU's clock runs on during WFI */
#define PRE_DIV_CNT            (0x3FFu << 0)
#define SOC_CLK_SEL            (3u << 10)
#define SOC_CLK_SEL_PLL        (1u << 10)

#define RTC_CNTL_BASE         0x60008000u
#define RTC_CNTL_WDTCONFIG0   REG32(RTC_CNTL_BASE + 0x90)
#define RTC_CNTL_WDTWPROTECT  REG32(RTC_CNTL_BASE + 0xA8)
#define RTC_CNTL_SWD_CONF     REG32(RTC_CNTL_BASE + 0xAC)
#define RTC_CNTL_SWD_WPROTECT REG32(RTC_CNTL_BASE + 0xB0)
#define RTC_CNTL_BROWN_OUT    REG32(RTC_CNTL_BASE + 0xD8)
#define RTC_WDT_FLASHBOOT_MOD (1u << 12)
#define RTC_WDT_EN            (1u << 31)
#define SWD_AUTO_FEED_EN      (1u << 31)
#define BROWN_OUT_RST_ENA     (1u << 26)
#define RTC_WDT_KEY           0x50D83AA1u
#define SWD_KEY               0x8F1D312Au

#define TIMG0_WDTCONFIG0    REG32(BOARD_WATCHDOG_BASE + 0x48)
#define TIMG0_WDTWPROTECT   REG32(BOARD_WATCHDOG_BASE + 0x64)
#define TIMG_FLASHBOOT_MOD  (1u << 14)
#define TIMG_CONF_UPDATE_EN (1u << 22)
#define TIMG_WDT_KEY        0x50D83AA1u

/* Where nothing changes nothing is written: an application runs from the flash, whose clock it is.
 */
static void start_clocks(void)
{
    uint32_t conf = SYSTEM_CPU_PER_CONF;
    SYSTEM_CPU_PER_CONF = (conf & ~(CPUPERIOD_SEL | CPU_WAIT_MODE_FORCE_ON)) | PLL_FREQ_SEL;
    uint32_t wanted = (SYSTEM_SYSCLK_CONF & ~(PRE_DIV_CNT | SOC_CLK_SEL)) | SOC_CLK_SEL_PLL;
    if (SYSTEM_SYSCLK_CONF != wanted) {
        SYSTEM_SYSCLK_CONF = wanted;
    }
}

/* The watchdogs of timer group 0 and of the RTC run since reset in a mode of their own, against a
 * flash that does not start; it ends here. Group 0's may be armed for a trial besides: that stays.
 * The super watchdog, against a dead RTC, is fed by the hardware. */
static void end_boot_watchdogs(void)
{
    RTC_CNTL_WDTWPROTECT = RTC_WDT_KEY;
    RTC_CNTL_WDTCONFIG0 = RTC_CNTL_WDTCONFIG0 & ~(RTC_WDT_FLASHBOOT_MOD | RTC_WDT_EN);
    RTC_CNTL_WDTWPROTECT = 0;
    RTC_CNTL_SWD_WPROTECT = SWD_KEY;
    RTC_CNTL_SWD_CONF = RTC_CNTL_SWD_CONF | SWD_AUTO_FEED_EN;
    RTC_CNTL_SWD_WPROTECT = 0;
    TIMG0_WDTWPROTECT = TIMG_WDT_KEY;
    TIMG0_WDTCONFIG0 = (TIMG0_WDTCONFIG0 & ~TIMG_FLASHBOOT_MOD) | TIMG_CONF_UPDATE_EN;
    TIMG0_WDTWPROTECT = 0;
}

static bool runs_from_flash(void)
{
    return (uintptr_t)&chip_start >= IBUS_FLASH;
}

void chip_start(void)
{
    end_boot_watchdogs();
    start_clocks();
    RTC_CNTL_BROWN_OUT = RTC_CNTL_BROWN_OUT | BROWN_OUT_RST_ENA;
    if (!runs_from_flash()) {
        mmu_show_flash();
    }
}
