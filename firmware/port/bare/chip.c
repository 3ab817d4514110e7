/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * chip.h of a chip that is ready as it comes out of reset.
 */
#include "port/bare/chip.h"

void chip_start(void)
{
}
