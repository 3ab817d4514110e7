/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What infer_init() of this engine does after its checks, for whoever wants another tensor arena
 * than the one that the plan names: see measure.h.
 */
#ifndef INFER_TFLM_ENGINE_H
#define INFER_TFLM_ENGINE_H

#include "infer/infer.h"

/* Bytes of the arena before TensorFlow Lite Micro's own: of the engine and of kept inputs. */
uint32_t tflm_reserved(const plan_header_t *plan);

/* Opens a plan that has passed infer_check() with `tensor_bytes` of tensor arena at `arena` +
 * tflm_reserved(). `arena` is aligned to 16. A tensor arena of any size is safe. */
infer_status_t tflm_open(infer_t *model, const plan_header_t *plan, uint8_t *arena,
                         uint32_t tensor_bytes);

/* Bytes of those that an open model uses; planning it has needed more, or as many. */
uint32_t tflm_used(const infer_t *model);

#endif
