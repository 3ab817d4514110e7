/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The tables of a plan, whatever engine runs it.
 */
#ifndef INFER_PLAN_TABLES_H
#define INFER_PLAN_TABLES_H

#include "infer/plan.h"

static inline const plan_tensor_t *infer_tensors(const plan_header_t *plan)
{
    return (const plan_tensor_t *)((const uint8_t *)plan + plan->tensors);
}

static inline const plan_io_t *infer_io(const plan_header_t *plan)
{
    return (const plan_io_t *)((const uint8_t *)plan + plan->io);
}

static inline const plan_state_t *infer_states(const plan_header_t *plan)
{
    return (const plan_state_t *)((const uint8_t *)plan + plan->states);
}

/* Bytes at `offset` of the data section. */
static inline const void *infer_data(const plan_header_t *plan, uint32_t offset)
{
    return (const uint8_t *)plan + plan->data + offset;
}

#endif
