/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cause.h of a chip that does not say.
 */
#include "port/common/cause.h"

restart_cause_t cause_take(void)
{
    return RESTART_CAUSE_UNKNOWN;
}
