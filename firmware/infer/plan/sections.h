/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The part of infer_check() that is the same for every engine: what the header, the strings, the
 * tensors and the inputs and outputs say.
 */
#ifndef INFER_PLAN_SECTIONS_H
#define INFER_PLAN_SECTIONS_H

#include "infer/infer.h"

/* Proves that every section lies in the plan, in order and aligned, with zeros between; that all
 * strings end in their section; that each tensor lies in the arena and lives from a step to a
 * later one; and that each input and output is a tensor of its size, type and alignment.
 * `plan` has passed infer_check_header(); `flags` are those that a plan may have. */
infer_verdict_t infer_sections_verdict(const plan_header_t *plan, uint32_t flags);

/* What a check says of record number `index`, and of a plan as a whole. */
static inline infer_verdict_t infer_verdict_at(infer_status_t status, uint32_t index)
{
    return (infer_verdict_t){.status = status, .index = (int32_t)index};
}

static inline infer_verdict_t infer_verdict_of(infer_status_t status)
{
    return (infer_verdict_t){.status = status, .index = -1};
}

/* Bytes of an element of an enum plan_type, 0 if there is no such type. */
uint32_t infer_type_bytes(uint32_t type);

#endif
