/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Room for a plan that the tests write, in place of the constant that the build makes.
 */
#include <stdint.h>

_Alignas(16) uint8_t torpor_plan[1 << 14];
uint32_t torpor_plan_length;
