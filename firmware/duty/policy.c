/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The torpor authors
 *
 * See policy.h.
 */
#include "duty/policy.h"

/* What is bad at once stays so whatever the hysteresis: with none there is no endless change. */
static bool too_hot(const policy_config_t *config, uint32_t at, bool already, int32_t temperature)
{
    int32_t limit = config->hot[at];
    return temperature >= limit || (already && temperature > limit - config->hot_hysteresis);
}

static bool too_low(const policy_config_t *config, uint32_t at, bool already, int32_t battery)
{
    int32_t limit = config->low[at];
    return battery <= limit || (already && battery < limit + config->low_hysteresis);
}

policy_level_t policy_update(const policy_config_t *config, policy_level_t level,
                             policy_input_t input)
{
    bool has_temperature = input.temperature != POLICY_NO_TEMPERATURE;
    bool has_battery = input.battery != POLICY_NO_BATTERY;
    for (uint32_t next = POLICY_RESTING; next > POLICY_NORMAL; next--) {
        bool already = level >= next;
        if ((has_temperature && too_hot(config, next - 1, already, input.temperature)) ||
            (has_battery && too_low(config, next - 1, already, input.battery))) {
            return (policy_level_t)next;
        }
    }
    return POLICY_NORMAL;
}

uint32_t policy_hop(const policy_config_t *config, policy_level_t level, uint32_t hop)
{
    if (level == POLICY_NORMAL) {
        return hop;
    }
    uint32_t remaining = 100u - config->slow_percent;
    uint32_t longer = (hop * 100 + remaining / 2) / remaining;
    return longer > hop ? longer : hop + 1;
}

bool policy_allows(policy_level_t level, bool positive)
{
    return level < POLICY_SAVING || (level == POLICY_SAVING && positive);
}
