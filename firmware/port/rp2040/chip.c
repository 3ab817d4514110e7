/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * chip.h of the RP2040: the CPU at 125 MHz from the crystal of 12 MHz (RP2040 Datasheet: 2.15
 * clocks, 2.16 XOSC, 2.18 PLL, 4.7.2 tick). UART, timer and watchdog live on the crystal itself:
 * they do not notice when the PLL is off. The ring oscillator is left on, for it is what the chip
 * starts from when the watchdog has reset the clocks. Without a crystal nothing works, the boot ROM
 * neither; the Pico has one.
 */
#include "port/bare/chip.h"

#include "port/rp2040/rp2040.h"

#define XOSC_CTRL    REG32(0x40024000u)
#define XOSC_STATUS  REG32(0x40024004u)
#define XOSC_STARTUP REG32(0x4002400Cu)

#define CTRL_1_15_MHZ  0xAA0u
#define XOSC_ENABLE    (0xFABu << 12)
#define STATUS_STABLE  (1u << 31)
#define STARTUP_256THS 282u /* cycles / 256 until it is called stable: 6 ms */

#define PLL_CS        REG32(0x40028000u)
#define PLL_PWR(how)  REG32(0x40028004u + (how))
#define PLL_FBDIV_INT REG32(0x40028008u)
#define PLL_PRIM      REG32(0x4002800Cu)
#define CS_REFDIV_1   1u
#define CS_LOCK       (1u << 31)
#define PWR_PD        (1u << 0)
#define PWR_POSTDIVPD (1u << 3)
#define PWR_VCOPD     (1u << 5)
#define FBDIV_125     125u                  /* 12 MHz * 125 = 1500 MHz */
#define PRIM_6_2      (6u << 16 | 2u << 12) /* over 6, over 2: 125 MHz */

#define CLK_REF_CTRL       REG32(CLOCKS_BASE + 0x30)
#define CLK_REF_SELECTED   REG32(CLOCKS_BASE + 0x38)
#define CLK_SYS_CTRL(how)  REG32(CLOCKS_BASE + 0x3C + (how))
#define CLK_SYS_SELECTED   REG32(CLOCKS_BASE + 0x44)
#define CLK_PERI_CTRL      REG32(CLOCKS_BASE + 0x48)
#define CLK_SYS_RESUS_CTRL REG32(CLOCKS_BASE + 0x78)
#define REF_XOSC           2u
#define SYS_SRC            (1u << 0) /* 0: the reference, 1: the PLL, with AUXSRC 0 */
#define SYS_AUXSRC         (7u << 5)
#define PERI_ENABLE        (1u << 11)
#define PERI_XOSC          (4u << 5)

#define TICK_ENABLE (1u << 9)
#define TICK_CYCLES 12u /* of the reference: a microsecond */

_Static_assert(BOARD_TIMER_HZ == 1000000 && BOARD_WATCHDOG_HZ == 1000000, "they count ticks");
_Static_assert(BOARD_UART_CLOCK_HZ == 12000000, "the crystal");

static void start_crystal(void)
{
    XOSC_STARTUP = STARTUP_256THS;
    XOSC_CTRL = XOSC_ENABLE | CTRL_1_15_MHZ;
    while ((XOSC_STATUS & STATUS_STABLE) == 0) {
    }
}

/* From here on clk_sys is the reference, whatever it was. */
static void leave_pll(void)
{
    CLK_SYS_CTRL(CLEAR) = SYS_SRC;
    while (CLK_SYS_SELECTED != 1u << 0) {
    }
}

static void use_crystal(void)
{
    CLK_REF_CTRL = REF_XOSC;
    while (CLK_REF_SELECTED != 1u << REF_XOSC) {
    }
    WATCHDOG_TICK = TICK_ENABLE | TICK_CYCLES;
    CLK_PERI_CTRL = PERI_ENABLE | PERI_XOSC;
}

static void start_pll(void)
{
    RESETS_RESET(SET) = RESET_PLL_SYS;
    rp2040_unreset(RESET_PLL_SYS);
    PLL_CS = CS_REFDIV_1;
    PLL_FBDIV_INT = FBDIV_125;
    PLL_PWR(CLEAR) = PWR_PD | PWR_VCOPD;
    while ((PLL_CS & CS_LOCK) == 0) {
    }
    PLL_PRIM = PRIM_6_2;
    PLL_PWR(CLEAR) = PWR_POSTDIVPD;
}

static void use_pll(void)
{
    CLK_SYS_CTRL(CLEAR) = SYS_AUXSRC;
    CLK_SYS_CTRL(SET) = SYS_SRC;
    while (CLK_SYS_SELECTED != 1u << 1) {
    }
}

static bool is_on_crystal(void)
{
    return CLK_REF_SELECTED == 1u << REF_XOSC;
}

static bool is_on_pll(void)
{
    return CLK_SYS_SELECTED == 1u << 1 && PLL_FBDIV_INT == FBDIV_125 && PLL_PRIM == PRIM_6_2;
}

/* The PLL's registers can be read out of reset only. After deep sleep, and after a debugger has
 * reset the cores, the crystal is in use and not touched: settings of it may disturb what it gives,
 * and ticks count on. */
void chip_start(void)
{
    rp2040_unreset(RESET_PLL_SYS | RESET_TIMER);
    if (is_on_crystal() && is_on_pll()) {
        return;
    }
    CLK_SYS_RESUS_CTRL = 0; /* the boot ROM's USB loader may have set it */
    leave_pll();
    if (!is_on_crystal()) {
        start_crystal();
        use_crystal();
    }
    start_pll();
    use_pll();
}

void chip_slow(void)
{
    leave_pll();
    PLL_PWR(SET) = PWR_PD | PWR_VCOPD | PWR_POSTDIVPD;
}
