/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * hal/clock.h with SysTick: 24 bits that count down, extended by the interrupt at each wrap.
 */
#include "hal/clock.h"

#include "hal/cpu.h"
#include "port/cortexm/cortexm.h"

#define SYSTICK_MASK 0xFFFFFFu

static volatile uint32_t wraps;

void clock_start(void)
{
    SYST_RVR = SYSTICK_MASK;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_CLKSOURCE | SYST_CSR_TICKINT | SYST_CSR_ENABLE;
}

void cortexm_systick_isr(void)
{
    wraps = wraps + 1;
}

/* The count reaches 0 and the exception becomes pending at the same moment, so that 0 is the
 * first value of a new period: the ticks in it are -CVR modulo 2^24. */
uint32_t clock_ticks(void)
{
    uint32_t irq = cpu_irq_disable();
    uint32_t high = wraps;
    uint32_t value = SYST_CVR;
    if ((ICSR & ICSR_PENDSTSET) != 0) {
        high++;
        value = SYST_CVR;
    }
    cpu_irq_restore(irq);
    return (high << 24) + ((0u - value) & SYSTICK_MASK);
}
