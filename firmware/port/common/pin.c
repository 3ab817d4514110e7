/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/pin.h on a board without such a pin.
 */
#include "hal/pin.h"

void pin_start(void)
{
}
