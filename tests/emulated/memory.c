/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * A process that says what is in its memory: the length of the file in four bytes, and the file.
 */
#include "hal/cpu.h"
#include "hal/uart.h"
#include "port/host/host.h"

void uart_on_receive(uint8_t byte)
{
    (void)byte;
    cpu_reset();
}

int main(void)
{
    uart_start();
    uint32_t length;
    const uint8_t *bytes = host_memory(&length);
    uart_write(&length, sizeof length);
    uart_write(bytes, length);
    cpu_irq_enable();
    for (;;) {
        uint32_t irq = cpu_irq_disable();
        cpu_sleep();
        cpu_irq_restore(irq);
    }
}
