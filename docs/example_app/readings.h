/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Where the example's data comes from: a product would ask its sensor here.
 */
#ifndef READINGS_H
#define READINGS_H

#include <stdint.h>

#define READINGS 16

/* Writes window number `window` of what was measured, quantized as the model wants it. */
void readings_take(uint32_t window, int8_t *codes);

#endif
