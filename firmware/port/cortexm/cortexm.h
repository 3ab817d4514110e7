/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Registers of the Cortex-M core, named as in the architecture reference manuals of Armv6-M (Arm
 * DDI 0419) and Armv7-M (Arm DDI 0403), chapter B3, and Armv8-M (Arm DDI 0553), chapter D1, and
 * what the files of this folder share. For ports only.
 */
#ifndef PORT_CORTEXM_CORTEXM_H
#define PORT_CORTEXM_CORTEXM_H

#include "port/bare/bare.h"

#define SYST_CSR     REG32(0xE000E010)           /* SysTick control and status */
#define SYST_RVR     REG32(0xE000E014)           /* reload value */
#define SYST_CVR     REG32(0xE000E018)           /* current value */
#define NVIC_ISER(n) REG32(0xE000E100 + 4 * (n)) /* set-enable, interrupts 32 n .. 32 n + 31 */
#define NVIC_ICER(n) REG32(0xE000E180 + 4 * (n)) /* clear-enable */
#define NVIC_ISPR(n) REG32(0xE000E200 + 4 * (n)) /* set-pending */
#define NVIC_ICPR(n) REG32(0xE000E280 + 4 * (n)) /* clear-pending */
#define ICSR         REG32(0xE000ED04)           /* interrupt control and state */
#define VTOR         REG32(0xE000ED08)           /* vector table offset (Armv7-M) */
#define AIRCR        REG32(0xE000ED0C)           /* application interrupt and reset control */
#define CFSR         REG32(0xE000ED28)           /* configurable fault status (Armv7-M) */
#define CPACR        REG32(0xE000ED88)           /* coprocessor access control (Armv7-M) */

#define SYST_CSR_ENABLE    (1u << 0)
#define SYST_CSR_TICKINT   (1u << 1)
#define SYST_CSR_CLKSOURCE (1u << 2) /* the processor's clock */
#define ICSR_PENDSTSET     (1u << 26)
#define AIRCR_VECTKEY      (0x05FAu << 16)
#define AIRCR_SYSRESETREQ  (1u << 2)
#define CPACR_CP10_CP11    (0xFu << 20) /* full access to the FPU */

/* First code after reset: makes C run, then calls main(). */
void cortexm_reset(void);

/* What only some cores have, in armv6m.c and armv7m.c: the FPU, which is switched on, the address
 * of the vector table, and a word about a fault (0 where there is none). */
void cortexm_core_start(void);
uint32_t cortexm_fault_status(void);
void cortexm_use_vectors(const void *vectors);

/* Handlers named in the vector table. cortexm_uart_isr() is the port's; the SysTick handler is in
 * systick.c, or in no_systick.c where another timer is the clock. */
void cortexm_uart_isr(void);
void cortexm_systick_isr(void);
void cortexm_fault(void);

/* Of drivers that not every program has; the linker script puts cortexm_fault() in their place. */
void cortexm_alarm_isr(void);
void cortexm_pin_isr(void);

/* Enables interrupt `irq` at the NVIC; Armv6-M has 0 .. 31. */
static inline void nvic_enable(uint32_t irq)
{
    NVIC_ISER(irq / 32) = 1u << irq % 32;
}

static inline void nvic_disable(uint32_t irq)
{
    NVIC_ICER(irq / 32) = 1u << irq % 32;
}

/* Makes interrupt `irq` pending, as its device would, or forgets that it is. */
static inline void nvic_pend(uint32_t irq)
{
    NVIC_ISPR(irq / 32) = 1u << irq % 32;
}

static inline void nvic_forget(uint32_t irq)
{
    NVIC_ICPR(irq / 32) = 1u << irq % 32;
}

#endif
