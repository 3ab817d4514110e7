/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cpu_reset() by the watchdog, triggered (RP2040 Datasheet, 4.7). The core's own SYSRESETREQ would
 * reset the cores and leave clocks and peripherals as they are.
 */
#include "hal/cpu.h"
#include "port/rp2040/rp2040.h"

void cpu_reset(void)
{
    PSM_WDSEL = WDSEL_ALL_BUT_OSCS;
    WATCHDOG_CTRL(SET) = CTRL_TRIGGER;
    for (;;) {
    }
}
