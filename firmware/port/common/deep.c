/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cpu_sleep_deep() of a chip without a deeper sleep, and of emulated ones.
 */
#include "hal/cpu.h"

void cpu_sleep_deep(void)
{
    cpu_sleep();
}
