/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Vector table and start-up code of every Cortex-M. The linker script, which the
 * build makes from the board's memory map, sets __stack_top.
 */
#include "gen/board_config.h"
#include "port/bare/chip.h"
#include "port/cortexm/cortexm.h"

extern uint32_t __stack_top[];

typedef void (*vector_t)(void);

/* Arm DDI 0403, B1.5.3: word 0 is the initial stack pointer, word n the handler of exception n,
 * interrupt i is exception 16 + i. Only what is ever enabled has an entry. */
typedef struct {
    uint32_t *stack_top;
    vector_t handlers[BOARD_VECTORS - 1];
} vectors_t;

/* Index in `handlers`. */
#define EXCEPTION(number) ((number) - 1)

/* One more entry, of the board's list of drivers. */
#define DRIVER(irq, handler) , [EXCEPTION(16 + (irq))] = (handler)

/* Where VTOR takes it on Armv6-M (Arm DDI 0419, B3.2.5), and behind what a chip's ROM wants first.
 */
__attribute__((section(".vectors"), used, aligned(256))) static const vectors_t vectors = {
    .stack_top = __stack_top,
    .handlers =
        {
            [EXCEPTION(1)] = cortexm_reset,
            [EXCEPTION(BOARD_WATCHDOG_EXCEPTION)] = cortexm_fault,
            [EXCEPTION(3)] = cortexm_fault,        /* HardFault */
            [EXCEPTION(4)] = cortexm_fault,        /* MemManage */
            [EXCEPTION(5)] = cortexm_fault,        /* BusFault */
            [EXCEPTION(6)] = cortexm_fault,        /* UsageFault */
            [EXCEPTION(7)] = cortexm_fault,        /* SecureFault */
            [EXCEPTION(11)] = cortexm_fault,       /* SVCall */
            [EXCEPTION(12)] = cortexm_fault,       /* DebugMonitor */
            [EXCEPTION(14)] = cortexm_fault,       /* PendSV */
            [EXCEPTION(15)] = cortexm_systick_isr, /* SysTick */
            [EXCEPTION(16 + BOARD_UART_IRQ)] = cortexm_uart_isr BOARD_DRIVERS(DRIVER),
        },
};

/* Runs with the stack pointer from the vector table and nothing else. */
void cortexm_reset(void)
{
    cpu_irq_disable();
    cortexm_core_start();
    cortexm_use_vectors(&vectors);
    bare_prepare_memory();
    chip_start();
    main();
    cpu_reset();
}
