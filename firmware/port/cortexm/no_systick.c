/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Where SysTick is not the clock (or not there at all), its exception is a fault.
 */
#include "port/cortexm/cortexm.h"

void cortexm_systick_isr(void)
{
    cortexm_fault();
}
