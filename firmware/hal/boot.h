/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The jump from the bootloader to an application.
 */
#ifndef HAL_BOOT_H
#define HAL_BOOT_H

#include <stdint.h>

/* Starts the application whose first byte (vector table, or first instruction) is `payload`, in
 * flash, in the state that it would find after a reset: interrupts disabled, no interrupt pending
 * of what the bootloader has used. Does not return. */
void boot_jump(const uint8_t *payload, uint32_t length) __attribute__((noreturn));

#endif
