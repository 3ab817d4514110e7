# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/duty/policy.c: levels from temperature and battery, and what they mean for the rate."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.duty.conftest import Library

NORMAL, SLOW, SAVING, RESTING = range(4)
NO_TEMPERATURE, NO_BATTERY = -(2**15), 2**16 - 1
USUAL = {"hot": [450, 550, 650], "hot_hysteresis": 30, "low": [300, 150, 50], "low_hysteresis": 30}
TEMPERATURES = st.integers(-(2**15) + 1, 2**15 - 1)
BATTERIES = st.integers(0, 2**16 - 2)


def make(duty: Library, **changes: object) -> Any:
    """Return a policy_config_t."""
    return duty.ffi.new("policy_config_t *", {**USUAL, "slow_percent": 30, **changes})


def update(
    duty: Library, config: Any, level: int, heat: int = NO_TEMPERATURE, charge: int = NO_BATTERY
) -> int:
    """Return the next level."""
    found: int = duty.c.policy_update(config, level, {"temperature": heat, "battery": charge})
    return found


def walk(duty: Library, config: Any, heats: Sequence[int]) -> list[int]:
    """Return the levels that temperatures lead to, one after the other, from NORMAL on."""
    levels = [NORMAL]
    for heat in heats:
        levels.append(update(duty, config, levels[-1], heat))
    return levels[1:]


def test_levels_are_entered_at_their_temperatures_and_left_below(duty: Library) -> None:
    config = make(duty)
    assert walk(duty, config, [449, 450, 421, 420]) == [NORMAL, SLOW, SLOW, NORMAL]
    assert walk(duty, config, [549, 550, 521, 520]) == [SLOW, SAVING, SAVING, SLOW]
    assert walk(duty, config, [649, 650, 621, 620]) == [SAVING, RESTING, RESTING, SAVING]


def test_levels_are_entered_at_their_charges_and_left_above(duty: Library) -> None:
    config = make(duty)
    for limit, better, worse in ((300, NORMAL, SLOW), (150, SLOW, SAVING), (50, SAVING, RESTING)):
        level = better
        for charge, expected in ((1, better), (0, worse), (29, worse), (30, better)):
            level = update(duty, config, level, charge=limit + charge)
            assert level == expected


@pytest.mark.parametrize("level", range(4))
def test_a_level_jumps_as_far_as_the_value(duty: Library, level: int) -> None:
    config = make(duty)
    assert update(duty, config, level, heat=2**15 - 1) == RESTING
    assert update(duty, config, level, heat=-400) == NORMAL
    assert update(duty, config, level, charge=0) == RESTING
    assert update(duty, config, level, charge=1000) == NORMAL
    assert update(duty, config, level, heat=560, charge=1000) == SAVING
    assert update(duty, config, level, heat=460, charge=40) == RESTING


@pytest.mark.parametrize("level", range(4))
def test_what_is_unknown_is_left_out(duty: Library, level: int) -> None:
    config = make(duty)
    assert update(duty, config, level) == NORMAL
    assert update(duty, config, level, heat=460) == SLOW
    assert update(duty, config, level, charge=100) == SAVING


def test_the_worse_of_two_counts(duty: Library) -> None:
    config = make(duty)
    assert update(duty, config, NORMAL, heat=470, charge=100) == SAVING
    assert update(duty, config, NORMAL, heat=570, charge=250) == SAVING


@given(st.lists(st.integers(0, 1), min_size=1, max_size=20), st.integers(0, 60))
def test_a_value_that_wavers_by_less_than_the_hysteresis_changes_the_level_once(
    duty: Library, wavers: list[int], hysteresis: int
) -> None:
    config = make(duty, hot_hysteresis=hysteresis, low_hysteresis=hysteresis)
    amplitude = max(hysteresis - 1, 0)
    heats = [450, *(450 - amplitude * waver for waver in wavers)]
    assert walk(duty, config, heats) == [SLOW] * len(heats)
    level = update(duty, config, NORMAL, charge=300)
    for waver in wavers:
        level = update(duty, config, level, charge=300 + amplitude * waver)
        assert level == SLOW


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw thresholds in their order."""
    hot = sorted(draw(st.lists(TEMPERATURES, min_size=3, max_size=3)))
    low = sorted(draw(st.lists(BATTERIES, min_size=3, max_size=3)), reverse=True)
    hysteresis = {"hot_hysteresis": draw(st.integers(0, 2**15 - 1))}
    return {"hot": hot, "low": low, **hysteresis, "low_hysteresis": draw(BATTERIES)}


def expected_level(config: dict[str, Any], level: int, heat: int, charge: int) -> int:
    """Return the next level: as many as are bad, each by its own limit for the present one."""
    found = 0
    for number in (SLOW, SAVING, RESTING):
        margin = number <= level
        hot_limit = config["hot"][number - 1] - (max(config["hot_hysteresis"] - 1, 0) * margin)
        low_limit = config["low"][number - 1] + (max(config["low_hysteresis"] - 1, 0) * margin)
        hot = heat != NO_TEMPERATURE and heat >= hot_limit
        low = charge != NO_BATTERY and charge <= low_limit
        found = number if hot or low else found
    return found


@given(
    configs(),
    st.integers(0, 3),
    TEMPERATURES | st.just(NO_TEMPERATURE),
    BATTERIES | st.just(NO_BATTERY),
)
def test_any_value_leads_where_the_limits_say(
    duty: Library, config: dict[str, Any], level: int, heat: int, charge: int
) -> None:
    found = update(duty, make(duty, **config), level, heat, charge)
    assert found == expected_level(config, level, heat, charge)
    assert update(duty, make(duty, **config), found, heat, charge) == found, "it comes to rest"


@given(configs(), st.integers(0, 3), st.tuples(TEMPERATURES, TEMPERATURES).map(sorted), BATTERIES)
def test_a_hotter_device_never_works_harder(
    duty: Library, config: dict[str, Any], level: int, heats: list[int], charge: int
) -> None:
    made = make(duty, **config)
    cool, hot = (update(duty, made, level, heat, charge) for heat in heats)
    assert cool <= hot


@pytest.mark.parametrize("percent", range(20, 41))
def test_the_hop_is_the_nearest_to_the_promised_rate_and_longer(
    duty: Library, percent: int
) -> None:
    config = make(duty, slow_percent=percent)
    for hop in [*range(1, 200), 65535]:
        assert duty.c.policy_hop(config, NORMAL, hop) == hop
        longer = duty.c.policy_hop(config, SLOW, hop)
        assert longer == max(hop + 1, int(hop * 100 / (100 - percent) + 0.5))
        assert abs(longer - hop * 100 / (100 - percent)) <= 0.5 or longer == hop + 1
        assert duty.c.policy_hop(config, SAVING, hop) == longer
        assert duty.c.policy_hop(config, RESTING, hop) == longer


def test_stage_2_needs_more_the_worse_it_is(duty: Library) -> None:
    allowed = [
        (duty.c.policy_allows(level, False), duty.c.policy_allows(level, True))
        for level in range(4)
    ]
    assert allowed == [(True, True), (True, True), (False, True), (False, False)]
