/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Kernels for several weight types share one body that takes functions as arguments. The body is
 * always inlined, so that these become plain calls (the stack analysis of the build sees no call
 * through a pointer); the innermost loops are functions of their own, so that they have all
 * registers of a small core for themselves.
 */
#ifndef INFER_KERNELS_INLINE_H
#define INFER_KERNELS_INLINE_H

#define INFER_TEMPLATE static inline __attribute__((always_inline))
#define INFER_LEAF     static __attribute__((noinline))

#endif
