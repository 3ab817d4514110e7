/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The record of the last fault, in RAM that is left alone by a reset.
 */
#include "port/bare/bare.h"

#define FAULT_MAGIC 0xFA017EDu

/* RAM holds anything after power-on: the record counts only with its magic number. */
static struct {
    uint32_t magic;
    cpu_fault_t fault;
} last __attribute__((section(".noinit")));

void bare_fault(cpu_fault_t fault)
{
    last.fault = fault;
    last.magic = FAULT_MAGIC;
    cpu_reset();
}

cpu_fault_t cpu_take_fault(void)
{
    cpu_fault_t fault = {0};
    if (last.magic == FAULT_MAGIC) {
        fault = last.fault;
    }
    last.magic = 0;
    return fault;
}
