/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * The part of the checks that infer_init() repeats at each start.
 */
#ifndef INFER_HEADER_H
#define INFER_HEADER_H

#include "infer/infer.h"

/* Alignment of `plan`, magic, version, target, length, arena alignment, kernels linked. Reads at
 * most `length` bytes. */
infer_status_t infer_check_header(const void *plan, size_t length);

#endif
