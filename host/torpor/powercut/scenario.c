/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See scenario.h.
 */
#include "scenario.h"

#include <string.h>

#include "flash.h"
#include "update/image.h"

scenario_t scenario;

static bool is_erased(const uint8_t *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        if (bytes[i] != 0xFF) {
            return false;
        }
    }
    return true;
}

static bool belongs(const scenario_image_t *image, uint32_t slot)
{
    return image->component == update_component_of(slot) &&
           (image->component == UPDATE_MODEL || image->slot == slot);
}

uint32_t scenario_image_in(uint32_t slot)
{
    const update_region_t *region = &scenario.layout.slots[slot];
    const uint8_t *bytes = flash_sim.bytes + region->offset;
    if (!is_erased(bytes + region->size - IMAGE_TRAILER_BYTES, IMAGE_TRAILER_BYTES)) {
        return NO_IMAGE;
    }
    for (uint32_t i = 0; i < scenario.image_count; i++) {
        const scenario_image_t *image = &scenario.images[i];
        if (belongs(image, slot) && memcmp(bytes, image->bytes, image->length) == 0) {
            return i;
        }
    }
    return NO_IMAGE;
}

bool scenario_is_empty(uint32_t slot)
{
    const update_region_t *region = &scenario.layout.slots[slot];
    return is_erased(flash_sim.bytes + region->offset, region->size);
}

bool scenario_is_refused_early(uint32_t image)
{
    uint8_t reason = scenario.images[image].refused;
    return reason == UPDATE_E_LINK || reason == UPDATE_E_KIND || reason == UPDATE_E_SIZE;
}

bool scenario_is_approved(uint32_t image)
{
    return image < scenario.image_count && scenario.images[image].refused == 0;
}
