/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How close behind its input an output may be written: infer_check() accepts plans by it. The
 * compiler has the same formula in Python, which a test holds equal to this one.
 *
 * An output y may share bytes with input 0 (x) of its operator if x dies there and
 *
 *     x.offset - y.offset >= infer_overlap_distance(record)            (all in bytes)
 *
 * Kernels compute in steps p = 0, 1, ... in memory order of the output: conv, depthwise and pools
 * one pixel (batch, y, x) with all its channels, fully connected one row, others one element. Step
 * p writes w bytes at y.offset + p * w, in the worst case before its last read. Hence
 *
 *     distance = max over p of (p + 1) * w - lowest(p)
 *
 * where lowest(p) is (a lower bound of) the lowest byte of x, counted from its first, that step p
 * or a later one reads; element-wise steps read before they write, and have distance 0. For a
 * window with origin row i = out_y * stride - pad,
 *
 *     lowest(out_y, out_x) = min(at(i(out_y), j(out_x)), at(i(out_y + 1), 0), at(in_h, 0))
 *     at(i, j) = (max(i, 0) * in_w + max(j, 0)) * in_c
 *
 * which is piecewise linear in out_x, so three columns a row suffice, and linear in the batch, so
 * the first and the last do: O(out_h).
 */
#ifndef INFER_OVERLAP_H
#define INFER_OVERLAP_H

#include "infer/kernel.h"

/* The distance in bytes, or INFER_OVERLAP_NEVER where the output must not share bytes with the
 * input (also for codes without a kernel). The record must have its full size; its contents may be
 * anything. */
int32_t infer_overlap_distance(const plan_op_t *op);

#endif
