/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See installed.h. To install takes longer than most inputs: what the flash is like then is kept
 * for each geometry.
 */
#include "installed.h"

#include <string.h>

#include "flash.h"

static struct {
    uint8_t flash[DEVICE_FLASH_BYTES];
    bool made;
} installed[DEVICE_GEOMETRIES];

static void install(void)
{
    device_load(0, FILES_A_1);
    device_load(INSTALLED_MODEL_SLOT, FILES_MODEL_1);
    device_boot(UPDATE_E_POWER);
    if (update_confirm(&device.update, UPDATE_FIRMWARE) != UPDATE_OK ||
        update_arm(&device.update, INSTALLED_MODEL_SLOT, NULL, NULL) != UPDATE_OK) {
        fuzz_fail("the first images do not get in");
    }
    device_boot(UPDATE_E_POWER);
    if (update_confirm(&device.update, UPDATE_MODEL) != UPDATE_OK) {
        fuzz_fail("the first model is not confirmed");
    }
    device_judge();
}

void installed_start(uint32_t geometry)
{
    geometry %= DEVICE_GEOMETRIES;
    device_start(geometry);
    if (!installed[geometry].made) {
        install();
        memcpy(installed[geometry].flash, flash_sim.bytes, flash_sim.size);
        installed[geometry].made = true;
    }
    memcpy(flash_sim.bytes, installed[geometry].flash, flash_sim.size);
    device_restart();
}
