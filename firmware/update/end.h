/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How a run ended, from what the RAM says that a reset keeps (hal/restart.h): bootloader and
 * application mean the same by it.
 */
#ifndef UPDATE_END_H
#define UPDATE_END_H

#include "update/update.h"

/* `kept`: the RAM has survived. `reason`: what was left there, 0 if nothing. */
static inline update_end_t update_end(bool kept, uint32_t reason, uint32_t pc, uint32_t lr)
{
    if (!kept) {
        return (update_end_t){.reason = UPDATE_E_POWER};
    }
    if (reason == UPDATE_OK) {
        return (update_end_t){.reason = UPDATE_E_RESET};
    }
    return (update_end_t){.reason = (update_reason_t)reason, .pc = pc, .lr = lr};
}

#endif
