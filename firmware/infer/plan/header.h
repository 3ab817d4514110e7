/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The part of the checks that infer_init() repeats at each start.
 */
#ifndef INFER_PLAN_HEADER_H
#define INFER_PLAN_HEADER_H

#include "infer/infer.h"

/* Alignment of `plan`, magic, version, length, arena alignment, and infer_runs(). Reads at most
 * `length` bytes. */
infer_status_t infer_check_header(const void *plan, size_t length);

/* Provided by the engine. INFER_E_TARGET: the plan is for another engine, or packed for kernels
 * that this one does not have. INFER_E_KERNEL: an operator of header->kernels is not linked in. */
infer_status_t infer_runs(const plan_header_t *header);

#endif
