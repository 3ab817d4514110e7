/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See device.h.
 */
#include "device.h"

#include <setjmp.h>
#include <stdalign.h>
#include <string.h>

#include "flash.h"
#include "scenario.h"
#include "trace.h"

#define ARENA_BYTES 4096
#define GARBAGE     0xA5
#define FAULT_PC    0x00012344u
#define FAULT_LR    0x00010101u

static alignas(16) uint8_t arena[ARENA_BYTES];

/* Where a CPU goes that hangs in an inference, or crashes. */
static jmp_buf reset;
static uint32_t nature_of_inference;

void __real_infer_invoke(infer_t *model);
void __wrap_infer_invoke(infer_t *model);

/* The linker sends all inferences here (--wrap). */
void __wrap_infer_invoke(infer_t *model)
{
    if (nature_of_inference != NATURE_GOOD) {
        longjmp(reset, 1);
    }
    __real_infer_invoke(model);
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
        return (update_end_t){.reason = UPDATE_E_RESTART};
    case NATURE_HANG:
        return (update_end_t){.reason = UPDATE_E_WATCHDOG, .pc = FAULT_PC};
    case NATURE_FAULT:
        return (update_end_t){.reason = UPDATE_E_FAULT, .pc = FAULT_PC, .lr = FAULT_LR};
    case NATURE_RESET:
        return (update_end_t){.reason = UPDATE_E_RESET};
    default:
        return (update_end_t){.reason = UPDATE_E_POWER};
    }
}

void device_lose_ram(device_t *device)
{
    memset(device, GARBAGE, sizeof *device);
    device->runs = false;
    device->end = (update_end_t){.reason = UPDATE_E_POWER};
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

/* The application has other RAM than the bootloader. */
static void open_application(device_t *device, uint32_t slot)
{
    uint32_t image = scenario_image_in(slot);
    memset(&device->update, GARBAGE, sizeof device->update);
    update_open(&device->update, &scenario.layout, &scenario.key);
    device->update.running[UPDATE_FIRMWARE] = (uint8_t)slot;
    device->upload = (upload_t){0};
    device->models = (models_t){
        .update = &device->update,
        .factory = {scenario.factory, scenario.factory_bytes},
        .arena = arena,
        .arena_bytes = image == NO_IMAGE ? sizeof arena : scenario.images[image].arena_bytes,
    };
}

/* Chooses and opens a model; false if that ends in a reset. */
static bool open_model(device_t *device, judge_t *judge)
{
    uint32_t trial = device->update.state[UPDATE_MODEL].trial;
    judge_confirming(judge, trial);
    nature_of_inference = nature_of(trial);
    if (setjmp(reset) != 0) {
        device->end = end_of(nature_of_inference);
        return false;
    }
    infer_status_t status =
        models_open(&device->models, device->end, &device->model, &device->plan);
    nature_of_inference = NATURE_GOOD;
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

/* The end of the application's self-test; false if that ends in a reset. */
static bool prove_itself(device_t *device, judge_t *judge, uint32_t slot, uint32_t nature)
{
    update_t *update = &device->update;
    if (nature == NATURE_SELF_TEST) {
        update_reject(update, UPDATE_FIRMWARE, (update_end_t){.reason = UPDATE_E_SELF_TEST});
    }
    if (nature != NATURE_GOOD) {
        device->end = end_of(nature);
        return false;
    }
    judge_confirming(judge, slot);
    update_confirm(update, UPDATE_FIRMWARE);
    return true;
}

static bool is_crash(uint32_t nature)
{
    return nature == NATURE_HANG || nature == NATURE_FAULT;
}

/* The application, from its first instruction to its loop; false if it does not get there. */
static bool run_application(device_t *device, judge_t *judge, const update_choice_t *choice)
{
    uint32_t nature = choice->trial ? nature_of(choice->slot) : NATURE_GOOD;
    if (is_crash(nature)) {
        device->end = end_of(nature);
        return false;
    }
    return open_model(device, judge) && prove_itself(device, judge, choice->slot, nature);
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
    bool runs = false;
    if (choice.slot != UPDATE_NO_SLOT) {
        open_application(device, choice.slot);
        runs = run_application(device, judge, &choice);
    }
    if (flash_sim.dead) {
        return;
    }
    judge_look(judge);
    judge_started(judge, UPDATE_FIRMWARE, choice.slot, choice.trial, end);
    if (choice.slot != UPDATE_NO_SLOT && !(choice.trial && is_crash(nature_of(choice.slot)))) {
        judge_started(judge, UPDATE_MODEL, device->update.running[UPDATE_MODEL], false, end);
    }
    device->runs = runs;
}

void device_turn_model(device_t *device, judge_t *judge)
{
    update_end_t end = device->end;
    judge_before(judge);
    bool runs = open_model(device, judge);
    if (flash_sim.dead) {
        return;
    }
    judge_look(judge);
    judge_started(judge, UPDATE_MODEL, device->update.running[UPDATE_MODEL], false, end);
    device->runs = runs;
}
