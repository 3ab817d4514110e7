/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * cause.h of the STM32F407: the flags in RCC_CSR (RM0090, 7.3.21). A reset from inside pulls the
 * reset pin too, and power-on raises the flag of the brown-out as well: what says most comes first.
 */
#include "port/common/cause.h"

#include "port/stm32f4/stm32f4.h"

#define CSR_RMVF     (1u << 24) /* clears the flags */
#define CSR_BORRSTF  (1u << 25)
#define CSR_PINRSTF  (1u << 26)
#define CSR_PORRSTF  (1u << 27)
#define CSR_SFTRSTF  (1u << 28)
#define CSR_IWDGRSTF (1u << 29)
#define CSR_WWDGRSTF (1u << 30)

static restart_cause_t cause_of(uint32_t flags)
{
    if ((flags & CSR_PORRSTF) != 0) {
        return RESTART_CAUSE_POWER;
    }
    if ((flags & CSR_BORRSTF) != 0) {
        return RESTART_CAUSE_BROWN_OUT;
    }
    if ((flags & (CSR_IWDGRSTF | CSR_WWDGRSTF)) != 0) {
        return RESTART_CAUSE_WATCHDOG;
    }
    if ((flags & CSR_SFTRSTF) != 0) {
        return RESTART_CAUSE_SOFTWARE;
    }
    return (flags & CSR_PINRSTF) != 0 ? RESTART_CAUSE_PIN : RESTART_CAUSE_UNKNOWN;
}

restart_cause_t cause_take(void)
{
    uint32_t flags = RCC_CSR;
    RCC_CSR |= CSR_RMVF;
    return cause_of(flags);
}
