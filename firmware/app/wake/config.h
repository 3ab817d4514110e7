/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * What the sleeping device does by itself: the table [wake] of a model.toml, as the build makes it
 * (site_scons/torpor_build/wake.py writes wake.c).
 */
#ifndef APP_WAKE_CONFIG_H
#define APP_WAKE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/sensor.h"
#include "duty/duty.h"
#include "stats/sampler.h"
#include "stats/store.h"

#define WAKE_AXES 8

/* From a number of the sensor, or of a feature, to a code of the model's input:
 * ((number * multiplier + 2^(shift - 1)) >> shift) + zero_point, held between low and high. */
typedef struct {
    int32_t multiplier; /* times the largest number it is below 2^31 */
    uint8_t shift;      /* 1 .. 24 */
    int8_t zero_point;
    int8_t low;
    int8_t high;
} wake_code_t;

typedef struct {
    const char *sensor; /* "motion", "sound" */
    bool always;        /* infer all the time: no trigger, no stage 1. To compare with */
    sensor_format_t format;
    duty_config_t duty;
    uint16_t rows;    /* of the model's input */
    uint16_t columns; /* motion: axes; sound: channels */
    uint8_t first;    /* channels that stage 1 listens to: [first, last) */
    uint8_t last;
    uint16_t before;      /* blocks from before a wake that are looked at too */
    uint32_t interval_ms; /* from one summary to the next */
    sampler_config_t sampler;
    bool raw;             /* keep inputs themselves, not summaries of them */
    store_layout_t store; /* where: see app/wake/keep.h */
    int16_t *history;     /* history_blocks blocks of samples */
    uint16_t history_blocks;
    wake_code_t codes[WAKE_AXES]; /* of each axis; sound: the first is for all channels */
} wake_config_t;

extern const wake_config_t wake_config;

#endif
