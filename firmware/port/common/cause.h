/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What a chip says of its last reset: cause.c of a port, or the one of this folder. For ports only.
 */
#ifndef PORT_COMMON_CAUSE_H
#define PORT_COMMON_CAUSE_H

#include "hal/restart.h"

/* Reads what the chip's register says, the worst if it says several things, and clears it, so that
 * the next reset is told alone. */
restart_cause_t cause_take(void);

#endif
