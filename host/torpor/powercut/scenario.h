/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What a proof runs: a device's geometry, the images that exist in its world, and what is done with
 * them, step by step. Made by scenarios.py; nothing here changes while it runs.
 */
#ifndef POWERCUT_SCENARIO_H
#define POWERCUT_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "update/image.h"

#define SCENARIO_IMAGES_MAX 24
#define SCENARIO_STEPS_MAX  40
#define NO_IMAGE            0xFFu

/* What runs the models of a firmware, what a model is made for. */
typedef enum {
    ENGINE_TORPOR = 0,
    ENGINE_TFLM = 1,
    ENGINE_COUNT = 2,
} scenario_engine_t;

/* What an image does whenever it runs on trial. */
typedef enum {
    NATURE_GOOD = 0,
    NATURE_SELF_TEST = 1, /* firmware: its self-test fails, it says so and restarts; model: its
                             inference fails */
    NATURE_HANG = 2,      /* until the watchdog bites */
    NATURE_FAULT = 3,     /* an exception */
    NATURE_POWER = 4,     /* it takes so much that the power breaks down */
    NATURE_RESET = 5,     /* somebody presses the button */
    NATURE_UNFIT = 6,     /* model: it is sound, but cannot be opened */
} scenario_nature_t;

typedef struct {
    const uint8_t *bytes;
    uint32_t length;
    uint32_t counter;     /* security counter */
    uint32_t arena_bytes; /* firmware: that it has for models; model: that it wants */
    uint8_t id[IMAGE_ID_BYTES];
    uint8_t sha[32];   /* SHA-256 of the file */
    uint8_t component; /* update_component_t */
    uint8_t slot;      /* firmware: that it is linked for */
    uint8_t engine;    /* scenario_engine_t */
    uint8_t nature;
    uint8_t refused; /* update_reason_t that the device has to refuse it for; 0: it is approved */
} scenario_image_t;

typedef enum {
    STEP_LOAD = 0,   /* the factory programs `image` into `slot`, while the power is off */
    STEP_START = 1,  /* the power is turned off and on */
    STEP_FILL = 2,   /* so many events happen that `number` records still fit into the block */
    STEP_SEND = 3,   /* the client uploads `image` to `slot` */
    STEP_ARM = 4,    /* the client puts it on trial */
    STEP_APPLY = 5,  /* firmware: the client restarts the device; model: it takes its turn */
    STEP_REJECT = 6, /* the client ends the trial of the slot's component, for reason `number` */
    STEP_ERASE = 7   /* the client has `slot` erased */
} scenario_step_kind_t;

typedef struct {
    uint8_t kind;
    uint8_t slot;
    uint8_t image;
    uint8_t careless; /* the client also asks for all that must be refused */
    uint8_t fickle;   /* the client gives it up when the device is away */
    uint32_t number;
} scenario_step_t;

/* A plan, aligned to 16. */
typedef struct {
    const uint8_t *bytes;
    uint32_t length;
} scenario_plan_t;

typedef struct {
    update_layout_t layout;
    update_key_t key;
    uint32_t flash_bytes;
    uint32_t chunk_bytes;                    /* of a file in a message of the client */
    scenario_plan_t factories[ENGINE_COUNT]; /* in every firmware with that engine */
    scenario_image_t images[SCENARIO_IMAGES_MAX];
    uint32_t image_count;
    scenario_step_t steps[SCENARIO_STEPS_MAX];
    uint32_t step_count;
    uint32_t prepared;                    /* so many of the steps come before the first cut */
    uint8_t confirmed[UPDATE_COMPONENTS]; /* image that is, in the end; or NO_IMAGE */
    uint8_t instead[UPDATE_COMPONENTS];   /* or this one, if power has failed */
} scenario_t;

extern scenario_t scenario;

/* The image whose bytes a slot holds, all of them, with nothing behind it in MCUboot's trailer; or
 * NO_IMAGE. */
uint32_t scenario_image_in(uint32_t slot);

/* True if a slot is erased, from its first byte to its last. */
bool scenario_is_empty(uint32_t slot);

/* True if the device may run it in any state. */
bool scenario_is_approved(uint32_t image);

/* True if an image has to be refused for what its header says, before its slot is touched. */
bool scenario_is_refused_early(uint32_t image);

#endif
