/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See device.h.
 */
#include "device.h"

#include <setjmp.h>
#include <stdalign.h>
#include <string.h>

#include "engine.h"
#include "flash.h"
#include "hal/flash.h"
#include "scenario.h"
#include "trace.h"
#include "update/end.h"

#define ARENA_BYTES 4096
#define GARBAGE     0xA5
#define FAULT_PC    0x00012344u
#define FAULT_LR    0x00010101u

static alignas(16) uint8_t arena[ARENA_BYTES];

/* Where a CPU goes that hangs in an inference, or crashes. */
static jmp_buf reset;
static uint32_t nature_of_trial; /* of the model in this slot: */
static uint32_t trial_slot;

infer_status_t __wrap_infer_init(infer_t *model, const void *plan, size_t length, void *memory,
                                 size_t bytes);
infer_status_t __wrap_infer_invoke(infer_t *model);

static bool is_on_trial(const void *plan)
{
    if (trial_slot == UPDATE_NO_SLOT) {
        return false;
    }
    const update_region_t *slot = &scenario.layout.slots[trial_slot];
    uintptr_t start = (uintptr_t)flash_at(slot->offset);
    return (uintptr_t)plan >= start && (uintptr_t)plan - start < slot->size;
}

/* The linker sends all that is opened, and all inferences, here (--wrap). */
infer_status_t __wrap_infer_init(infer_t *model, const void *plan, size_t length, void *memory,
                                 size_t bytes)
{
    if (nature_of_trial == NATURE_UNFIT && is_on_trial(plan)) {
        return INFER_E_ARENA;
    }
    return engine_chosen()->init(model, plan, length, memory, bytes);
}

infer_status_t __wrap_infer_invoke(infer_t *model)
{
    if (nature_of_trial == NATURE_GOOD || !is_on_trial(model->plan)) {
        return engine_chosen()->invoke(model);
    }
    if (nature_of_trial == NATURE_SELF_TEST) {
        return INFER_E_ENGINE;
    }
    longjmp(reset, 1);
}

static uint32_t nature_of(uint32_t slot)
{
    uint32_t image = slot == UPDATE_NO_SLOT ? NO_IMAGE : scenario_image_in(slot);
    return image == NO_IMAGE ? NATURE_GOOD : scenario.images[image].nature;
}

/* What is known of how such a run ends. */
static update_end_t end_of(uint32_t nature)
{
    switch (nature) {
    case NATURE_SELF_TEST:
        return update_end(true, UPDATE_E_SELF_TEST, 0, 0);
    case NATURE_HANG:
        return update_end(true, UPDATE_E_WATCHDOG, FAULT_PC, 0);
    case NATURE_FAULT:
        return update_end(true, UPDATE_E_FAULT, FAULT_PC, FAULT_LR);
    case NATURE_RESET:
        return update_end(true, UPDATE_OK, 0, 0);
    default:
        return update_end(false, UPDATE_OK, 0, 0);
    }
}

void device_reset(device_t *device)
{
    device->runs = false;
    device->end = end_of(NATURE_RESET);
}

void device_lose_ram(device_t *device)
{
    memset(device, GARBAGE, sizeof *device);
    device->runs = false;
    device->end = end_of(NATURE_POWER);
}

/* The bootloader. */
static update_choice_t boot(device_t *device)
{
    update_end_t end = device->end;
    device_lose_ram(device);
    device->end = end;
    update_open(&device->update, &scenario.layout, &scenario.key);
    return update_choose(&device->update, UPDATE_FIRMWARE, end, NULL, NULL);
}

/* The application has other RAM than the bootloader, and its own engine. */
static void open_application(device_t *device, uint32_t slot)
{
    uint32_t image = scenario_image_in(slot);
    uint32_t engine = image == NO_IMAGE ? ENGINE_TORPOR : scenario.images[image].engine;
    device->engine = engine;
    engine_choose(engine);
    memset(&device->update, GARBAGE, sizeof device->update);
    update_open(&device->update, &scenario.layout, &scenario.key);
    device->update.running[UPDATE_FIRMWARE] = (uint8_t)slot;
    device->upload = (upload_t){0};
    device->models = (models_t){
        .update = &device->update,
        .factory = {scenario.factories[engine].bytes, scenario.factories[engine].length},
        .arena = arena,
        .arena_bytes = image == NO_IMAGE ? sizeof arena : scenario.images[image].arena_bytes,
    };
}

/* Chooses and opens a model, as it does after a start or when its turn has come; false if that ends
 * in a reset. `end` is how the run before has ended. */
static bool open_model(device_t *device, judge_t *judge, update_end_t end)
{
    trial_slot = device->update.state[UPDATE_MODEL].trial;
    judge_confirming(judge, trial_slot);
    nature_of_trial = nature_of(trial_slot);
    if (setjmp(reset) != 0) {
        device->end = end_of(nature_of_trial);
        return false;
    }
    infer_status_t status = models_open(&device->models, end, &device->model, &device->plan);
    nature_of_trial = NATURE_GOOD;
    if (flash_sim.dead) {
        return false;
    }
    if (status != INFER_OK) {
        judge_fail(judge, FAIL_BRICKED, "no plan can be opened");
        return false;
    }
    models_test(&device->model);
    return true;
}

/* The self-test of firmware on trial: makes an inference with its factory plan. False if it ends in
 * a reset. */
static bool test_itself(device_t *device, judge_t *judge, uint32_t slot)
{
    uint32_t nature = nature_of(slot);
    bool works = models_open_factory(&device->models, &device->model, &device->plan) == INFER_OK;
    if (!works) {
        judge_fail(judge, FAIL_BRICKED, "the factory plan cannot be opened");
        return false;
    }
    models_test(&device->model);
    if (nature == NATURE_SELF_TEST) {
        update_reject(&device->update, UPDATE_FIRMWARE,
                      (update_end_t){.reason = UPDATE_E_SELF_TEST});
    }
    if (nature != NATURE_GOOD) {
        device->end = end_of(nature);
        return false;
    }
    judge_confirming(judge, slot);
    update_confirm(&device->update, UPDATE_FIRMWARE);
    return true;
}

/* Power may have failed meanwhile: then nothing that the device says counts. */
static void judge_model(const device_t *device, judge_t *judge, update_end_t end)
{
    if (!flash_sim.dead) {
        judge_look(judge);
        judge_started(judge, UPDATE_MODEL, device->update.running[UPDATE_MODEL], false, end);
    }
}

void device_start(device_t *device, judge_t *judge)
{
    update_end_t end = device->end;
    judge_before(judge);
    update_choice_t choice = boot(device);
    if (flash_sim.dead) {
        return;
    }
    trace("starts %s%s, after reason %u", trace_slot(choice.slot), choice.trial ? " on trial" : "",
          (unsigned)end.reason);
    judge_look(judge);
    judge_started(judge, UPDATE_FIRMWARE, choice.slot, choice.trial, end);
    if (choice.slot == UPDATE_NO_SLOT) {
        return;
    }
    open_application(device, choice.slot);
    if (choice.trial && !test_itself(device, judge, choice.slot)) {
        return;
    }
    bool runs = open_model(device, judge, end);
    judge_model(device, judge, end);
    device->runs = runs;
}

void device_turn_model(device_t *device, judge_t *judge)
{
    update_end_t end = {.reason = UPDATE_OK};
    judge_before(judge);
    bool runs = open_model(device, judge, end);
    judge_model(device, judge, end);
    device->runs = runs;
}
