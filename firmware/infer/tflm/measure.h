/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * How large the tensor arena of a model has to be: tried out, on the very core. For the program in
 * app/measure; a firmware does not contain it.
 */
#ifndef INFER_TFLM_MEASURE_H
#define INFER_TFLM_MEASURE_H

#include "infer/infer.h"

typedef struct {
    infer_status_t status; /* of the first thing that failed for another reason than the arena */
    uint32_t arena;        /* fewest bytes of tensor arena that are enough, a multiple of 16 */
    uint32_t used;         /* what lies in it afterwards */
} tflm_measured_t;

/* Opens the plan, which has passed infer_check(), with one tensor arena after the other, all at the
 * start of what `arena` leaves for it; and runs it on zeros in the smallest that will do. What the
 * plan says of its arena does not count. `arena` is aligned to 16. */
tflm_measured_t tflm_measure(const void *plan, void *arena, uint32_t arena_bytes);

#endif
