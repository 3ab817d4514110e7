/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What the firmware needs of the processor itself: interrupt masking, sleep, reset, and how much
 * stack has been used. The image starts in the port, which calls main() with interrupts disabled.
 */
#ifndef HAL_CPU_H
#define HAL_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Implemented by the application. Must not return. */
int main(void);

/* Disables interrupts and returns what cpu_irq_restore() needs. May be nested. */
uint32_t cpu_irq_disable(void);

/* Back to the state before the matching cpu_irq_disable(). */
void cpu_irq_restore(uint32_t state);

/* Enables interrupts unconditionally: once, when the application is ready for them. */
void cpu_irq_enable(void);

/* Sleeps until an interrupt is pending; returns at once if one is. Call with interrupts
 * DISABLED, after checking under the same mask that there is nothing to do: then no wake-up can
 * be lost. The interrupt itself is taken at the following cpu_irq_restore(). */
void cpu_sleep(void);

/* As cpu_sleep(), in the deepest state of the chip that an alarm (hal/alarm.h), an edge at the pin
 * (hal/pin.h) or a falling edge of the UART's line ends, and that keeps all RAM; hal/clock.h goes
 * on. When it returns the chip is as it was before, clocks too. It may return with nothing pending.
 * The bytes that the UART receives while the chip wakes may be lost, or damaged: whoever wants to
 * be heard sends an end of line first, and waits 10 ms. Of what was lost uart_on_receive() is told
 * as an end of line, so that the application stays awake for the rest. Where nothing is deeper it
 * is cpu_sleep(). Call it as cpu_sleep(). */
void cpu_sleep_deep(void);

/* Resets the chip; hal/restart.h tells the next run why. Does not return. */
void cpu_reset(void) __attribute__((noreturn));

/* High-water mark of the stack in bytes since start, found by looking how much of the pattern
 * that start-up painted has been overwritten. 0 where the port cannot know. */
uint32_t cpu_stack_used(void);

#endif
