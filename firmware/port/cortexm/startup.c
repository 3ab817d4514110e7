/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Vector table and start-up code of every Cortex-M. The linker script, which the
 * build makes from the board's memory map, sets __stack_top.
 */
#include "gen/board_config.h"
#include "port/cortexm/cortexm.h"

extern uint32_t __stack_top[];

typedef void (*vector_t)(void);

/* Arm DDI 0403, B1.5.3: word 0 is the initial stack pointer, word n the handler of exception n,
 * interrupt i is exception 16 + i. Only what is ever enabled has an entry. */
typedef struct {
    uint32_t *stack_top;
    vector_t exceptions[15];
    vector_t interrupts[BOARD_UART_IRQ + 1];
} vectors_t;

__attribute__((section(".vectors"), used)) static const vectors_t vectors = {
    .stack_top = __stack_top,
    .exceptions =
        {
            cortexm_reset,       /* 1 */
            cortexm_fault,       /* 2 NMI */
            cortexm_fault,       /* 3 HardFault */
            cortexm_fault,       /* 4 MemManage */
            cortexm_fault,       /* 5 BusFault */
            cortexm_fault,       /* 6 UsageFault */
            0,                   /* 7 reserved */
            0,                   /* 8 reserved */
            0,                   /* 9 reserved */
            0,                   /* 10 reserved */
            cortexm_fault,       /* 11 SVCall */
            cortexm_fault,       /* 12 DebugMonitor */
            0,                   /* 13 reserved */
            cortexm_fault,       /* 14 PendSV */
            cortexm_systick_isr, /* 15 SysTick */
        },
    .interrupts = {[BOARD_UART_IRQ] = cortexm_uart_isr},
};

/* Runs with the stack pointer from the vector table and nothing else. */
void cortexm_reset(void)
{
    cpu_irq_disable();
    cortexm_core_start(&vectors);
    bare_prepare_memory();
    main();
    cpu_reset();
}
