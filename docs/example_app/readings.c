/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See readings.h: a valley with some noise, over and over.
 */
#include "readings.h"

static const int8_t measured[] = {
    100,  90,   84,  71,   60,   50,   38,   31,  19,   10,   1,    -10, -19,  -31,  -40,  -52,
    -100, -101, -99, -100, -102, -100, -100, -99, -101, -100, -100, -98, -100, -101, -100, -100,
    -60,  -50,  -42, -30,  -19,  -11,  0,    8,   20,   31,   40,   49,  61,   70,   79,   90,
};

void readings_take(uint32_t window, int8_t *codes)
{
    const uint32_t windows = sizeof measured / READINGS;
    const int8_t *from = &measured[window % windows * READINGS];
    for (uint32_t i = 0; i < READINGS; i++) {
        codes[i] = from[i];
    }
}
