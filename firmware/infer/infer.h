/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * Runs a compiled model (a plan, see plan.h) on quantized data. No heap, no I/O, and the caller
 * owns all memory, so any number of models can be open at once.
 *
 * Two engines implement this header, a firmware has one of them:
 *   torpor   infer/, infer/ops, infer/kernels: ours. No globals that change.
 *   tflm     infer/tflm: TensorFlow Lite Micro, which the user has built. Its plans hold the
 *            model's flatbuffer (PLAN_TARGET_TFLM). The resolver and the last message are globals.
 *            A condition that it checks and that does not hold ends the run, by abort().
 * infer/plan is what both have in common.
 *
 *   infer_check()   once, when a plan is accepted. torpor: proves it safe. A plan that passes
 * cannot make infer_invoke() read outside plan and arena, write outside the arena, or shift or
 * divide out of range, whatever the input bytes are. tflm: proves that what TensorFlow Lite Micro
 * follows in the flatbuffer lies in it, and that it has the operators; how its kernels handle odd
 * parameters is up to them. infer_init()    at each start: header, alignment, sizes, kernels; sets
 * the states. No proof. tflm: plans the arena. infer_input()   where to write, infer_invoke(),
 * infer_output() where to read.
 *
 * Never call infer_invoke() with a plan that has not once passed infer_check().
 */
#ifndef INFER_INFER_H
#define INFER_INFER_H

#include <stddef.h>
#include <stdint.h>

#include "infer/plan.h"

typedef enum {
    INFER_OK = 0,
    INFER_E_MAGIC = 1,   /* not a plan */
    INFER_E_VERSION = 2, /* another plan format: recompile the model or update the firmware */
    INFER_E_TARGET = 3,  /* weights packed for kernels that this firmware does not have */
    INFER_E_LENGTH = 4,  /* truncated, or its length field is wrong */
    INFER_E_ALIGN = 5,   /* plan or arena pointer is not aligned */
    INFER_E_ARENA = 6,   /* the arena given is too small */
    INFER_E_KERNEL = 7,  /* an operator whose kernel is not linked in */
    INFER_E_HEADER = 8,  /* a header field or a section is out of bounds */
    INFER_E_TENSOR = 9,  /* a tensor is out of bounds, or its steps contradict the operators */
    INFER_E_IO = 10,     /* an input or output record is wrong */
    INFER_E_RECORD = 11, /* an operator record is malformed */
    INFER_E_SHAPE = 12,  /* shapes do not agree with each other or with a tensor's size */
    INFER_E_RANGE = 13,  /* a shift, multiplier, zero point or activation bound is out of range */
    INFER_E_DATA = 14,   /* weights or channel block outside the data section */
    INFER_E_ALIAS = 15,  /* two live tensors share bytes without being allowed to */
    INFER_E_STRING = 16, /* a name or label is out of bounds */
    INFER_E_STATE = 17,  /* a state record is wrong */
    INFER_E_MODEL = 18,  /* the flatbuffer is broken, or of another schema */
    INFER_E_ENGINE = 19, /* TensorFlow Lite Micro has failed otherwise: see infer_message() */
    INFER_STATUS_COUNT = 20
} infer_status_t;

/* Where a check failed: section-specific index (operator, tensor or io number), or -1. */
typedef struct {
    infer_status_t status;
    int32_t index;
} infer_verdict_t;

/* An open model. Members are private to infer/. */
typedef struct {
    const plan_header_t *plan;
    uint8_t *arena;
} infer_t;

/* Proves `plan` safe for this firmware. `length` is how many bytes may be read at `plan`.
 * Runs in O(operators + tensors^2) steps plus the size of the shapes' outlines; no memory. */
infer_verdict_t infer_check(const void *plan, size_t length);

/* Opens a checked plan. `arena` needs plan->arena_bytes bytes at plan->arena_align alignment and
 * stays with the model until it is no longer used. */
infer_status_t infer_init(infer_t *model, const void *plan, size_t length, void *arena,
                          size_t arena_bytes);

/* Puts all states to what they were at first: the next inference knows nothing of those before.
 * infer_init() has done it. */
void infer_reset(infer_t *model);

/* One inference. Inputs must have been written since the last call unless the plan has
 * PLAN_FLAG_KEEP_INPUT. torpor cannot fail. tflm: INFER_OK, or there are no outputs: it was
 * INFER_E_ENGINE, or INFER_E_ARENA, and the model begins anew, as after infer_reset(); or the
 * status of an infer_init() that has failed. */
infer_status_t infer_invoke(infer_t *model);

/* Runs operator `op` (0 .. n_ops-1) alone; infer_invoke() is these in order. For layer-by-layer
 * inspection: a plan for tflm has no operators. */
void infer_step(infer_t *model, uint32_t op);

/* Description and bytes of input or output `index`, or NULL if there is none. */
const plan_io_t *infer_input_info(const infer_t *model, uint32_t index);
const plan_io_t *infer_output_info(const infer_t *model, uint32_t index);
void *infer_input(infer_t *model, uint32_t index);
const void *infer_output(const infer_t *model, uint32_t index);
uint32_t infer_input_bytes(const infer_t *model, uint32_t index);
uint32_t infer_output_bytes(const infer_t *model, uint32_t index);

/* Name of the model and of label `index`, or NULL. */
const char *infer_name(const infer_t *model);
const char *infer_label(const infer_t *model, uint32_t index);

/* What travels with the model, 4-byte aligned, and its length; NULL and 0 where there is nothing.
 */
const void *infer_extra(const infer_t *model, uint32_t *bytes);

/* What the engine itself said of the last failure of infer_init() or infer_invoke(), one line;
 * "" if it said nothing. Never NULL; it is overwritten by the next one. */
const char *infer_message(void);

/* "torpor" or "tflm". */
const char *infer_engine(void);

/* One-word name of a status, for logs ("arena", "alias", ...). Never NULL. */
const char *infer_status_name(infer_status_t status);

#endif
