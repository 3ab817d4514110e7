/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Is this a plan that this firmware can run at all?
 */
#include "infer/plan/header.h"

_Static_assert(sizeof(plan_header_t) == 96, "the header is part of the format");

static int power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1u)) == 0;
}

infer_status_t infer_check_header(const void *plan, size_t length)
{
    const plan_header_t *header = (const plan_header_t *)plan;
    if ((uintptr_t)plan % PLAN_ALIGN != 0) {
        return INFER_E_ALIGN;
    }
    if (length < sizeof *header) {
        return INFER_E_LENGTH;
    }
    if (header->magic != PLAN_MAGIC) {
        return INFER_E_MAGIC;
    }
    if (header->version != PLAN_VERSION) {
        return INFER_E_VERSION;
    }
    if (header->length < sizeof *header || header->length > length || header->length > INT32_MAX ||
        header->length % PLAN_ALIGN != 0) {
        return INFER_E_LENGTH;
    }
    if (!power_of_two(header->arena_align)) {
        return INFER_E_HEADER;
    }
    return infer_runs(header);
}
