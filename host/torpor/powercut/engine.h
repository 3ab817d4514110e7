/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What runs the models of the firmware that runs: our own engine, or the one for plans of
 * TensorFlow Lite Micro. A firmware has one of them; a device that changes its firmware may change
 * its engine, so the proof has both. The linker sends the calls of mgmt/models.c to the one that
 * was chosen (--wrap).
 */
#ifndef POWERCUT_ENGINE_H
#define POWERCUT_ENGINE_H

#include "infer/infer.h"

typedef struct {
    infer_verdict_t (*check)(const void *plan, size_t length);
    infer_status_t (*init)(infer_t *model, const void *plan, size_t length, void *arena,
                           size_t arena_bytes);
    void (*reset)(infer_t *model);
    infer_status_t (*invoke)(infer_t *model);
    void *(*input)(infer_t *model, uint32_t index);
} engine_t;

/* infer/ with one kernel. */
extern const engine_t engine_torpor;

/* infer/tflm without TensorFlow Lite Micro: what accepts plans is the firmware's own code, what
 * runs an inference is a stand-in for it (tflm/engine.c). */
extern const engine_t engine_tflm;

/* Firmware with that engine (scenario_engine_t) runs from now on. */
void engine_choose(uint32_t engine);

/* The engine of the firmware that runs. */
const engine_t *engine_chosen(void);

#endif
