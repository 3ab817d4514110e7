/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The model that is built into the firmware. The compiler writes the plan (plan.c), the build the
 * memory that it needs (model.c).
 */
#ifndef APP_MODEL_H
#define APP_MODEL_H

#include <stdint.h>

extern const uint8_t torpor_plan[];
extern const uint32_t torpor_plan_length;

extern uint8_t model_arena[]; /* aligned as the plan wants it */
extern const uint32_t model_arena_bytes;

#endif
