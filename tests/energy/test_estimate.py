# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Estimates from time per state: by hand, and what holds for all of them."""

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.board import Power, board_names, load_board
from torpor.energy import ACTIVE, STATES, TooSlowError, current_ua, estimate, scaled
from torpor.errors import UsageError

POWER = Power(
    chip="X1",
    volts=3.0,
    clock_hz=100_000_000,
    cycles_per_instruction=2.0,
    sleep_ua=5.0,
    stage_2_ua=10_000.0,
    battery_mah=240.0,
    sources=("made up",),
    capture_ua=2_000.0,
    listen_ua=500.0,
)
EMULATED_HZ = 1e9 / 2**6


@st.composite
def residencies(draw: st.DrawFn) -> dict[str, float]:
    """Shares of some states that make 1."""
    states = draw(st.lists(st.sampled_from(STATES), min_size=1, unique=True))
    weights = [draw(st.integers(1, 10_000)) for _ in states]
    return {state: weight / sum(weights) for state, weight in zip(states, weights, strict=True)}


# ---- by hand


def test_a_device_that_only_sleeps_draws_its_sleeping_current() -> None:
    made = estimate({"sleep": 1.0}, POWER)
    assert made.average_ua_estimated == 5.0
    assert made.mah_per_day_estimated == pytest.approx(0.12)  # 5 uA x 24 h
    assert made.days_estimated == pytest.approx(2000)  # 240 mAh / 0.12 mAh


def test_an_average_is_weighted_by_the_time_in_each_state() -> None:
    shares = {"sleep": 0.9, "capture": 0.05, "stage_2": 0.04, "serial": 0.01}
    made = estimate(shares, POWER)
    # 0.9 x 5 + 0.05 x 2000 + 0.04 x 10000 + 0.01 x 10000 (serial is not known: as stage 2)
    assert made.average_ua_estimated == pytest.approx(604.5)
    assert made.mah_per_day_estimated == pytest.approx(14.508)
    assert made.days_estimated == pytest.approx(240 / 14.508)


def test_replay_costs_what_sleep_does() -> None:
    assert estimate({"sleep": 0.3, "replay": 0.7}, POWER) == estimate({"sleep": 1.0}, POWER)
    assert current_ua(POWER, "replay") == POWER.sleep_ua


@pytest.mark.parametrize("state", ["stage_1", "stage_2", "serial", "flash"])
def test_a_state_whose_current_is_not_known_draws_that_of_stage_2(state: str) -> None:
    assert current_ua(POWER, state) == POWER.stage_2_ua
    current: dict[str, Any] = {f"{state}_ua": 123.0}
    known = dataclasses.replace(POWER, **current)
    assert current_ua(known, state) == 123.0


def test_a_device_with_a_microphone_sleeps_less_deeply() -> None:
    made = estimate({"sleep": 0.5, "replay": 0.5}, POWER, "sound")
    assert made.average_ua_estimated == 500.0
    assert current_ua(POWER, "stage_2", "sound") == POWER.stage_2_ua


def test_a_microphone_on_a_chip_of_which_that_is_not_known_has_no_estimate() -> None:
    deaf = dataclasses.replace(POWER, listen_ua=None)
    assert estimate({"stage_2": 1.0}, deaf, "sound").average_ua_estimated == 10_000
    with pytest.raises(UsageError, match="a X1 draws while it samples a microphone") as error:
        estimate({"sleep": 1.0}, deaf, "sound")
    assert error.value.hint == "'power.listen_ua' in board.toml"


def test_what_draws_nothing_lasts_for_ever() -> None:
    free = dataclasses.replace(POWER, sleep_ua=0.0)
    assert estimate({"sleep": 1.0}, free).days_estimated == math.inf


def test_shares_of_an_emulator_become_those_of_the_chip() -> None:
    # 15.625 million instructions a second x 2 cycles / 100 million cycles a second = 0.3125
    made = scaled({"sleep": 0.2, "stage_2": 0.64, "capture": 0.16}, EMULATED_HZ, POWER)
    assert made == pytest.approx(
        {"sleep": 0.75, "capture": 0.05, "stage_1": 0, "stage_2": 0.2, "serial": 0, "flash": 0}
    )


def test_the_time_of_replay_is_free_on_the_chip() -> None:
    made = scaled({"replay": 0.5, "stage_2": 0.5}, EMULATED_HZ, POWER)
    assert made["stage_2"] == pytest.approx(0.15625)
    assert made["sleep"] == pytest.approx(1 - 0.15625)


def test_work_that_a_chip_has_no_time_for_is_refused_with_how_much_it_is() -> None:
    slow = dataclasses.replace(POWER, clock_hz=16_000_000)
    with pytest.raises(TooSlowError) as error:
        scaled({"stage_2": 0.9, "sleep": 0.1}, EMULATED_HZ, slow)
    assert error.value.message == (
        "the work takes 176% of the time of the X1 at 16 MHz (estimated)"
    )
    assert error.value.exit_code == UsageError.exit_code


# ---- what is refused


@pytest.mark.parametrize(
    ("residency", "message", "hint"),
    [
        ({"sleep": 0.5, "radio": 0.5}, "unknown state 'radio'", "known: sleep, capture, stage_1"),
        ({"sleep": 1.1, "flash": -0.1}, "the share of 'flash' is -0.1", "shares are 0 to 1"),
        ({"sleep": math.nan}, "the share of 'sleep' is nan", "shares are 0 to 1"),
        ({"sleep": math.inf}, "the share of 'sleep' is inf", "shares are 0 to 1"),
        ({"sleep": 0.5}, "the shares of time make 0.5000", "they must make 1"),
        ({"sleep": 1.0, "flash": 0.02}, "the shares of time make 1.0200", "they must make 1"),
        ({}, "the shares of time make 0.0000", "they must make 1"),
    ],
    ids=["name", "negative", "nan", "infinite", "too little", "too much", "none"],
)
def test_shares_that_cannot_be_are_named(
    residency: dict[str, float], message: str, hint: str
) -> None:
    for refuse in (
        lambda: estimate(residency, POWER),
        lambda: scaled(residency, EMULATED_HZ, POWER),
    ):
        with pytest.raises(UsageError) as error:
            refuse()
        assert error.value.message == message
        assert error.value.hint.startswith(hint)


@pytest.mark.parametrize("hz", [0.0, -1.0, math.nan, math.inf])
def test_an_emulator_without_a_speed_is_refused(hz: float) -> None:
    with pytest.raises(UsageError, match="instructions a second is none"):
        scaled({"sleep": 1.0}, hz, POWER)


# ---- what always holds


@given(residencies())
def test_an_average_lies_between_the_least_and_the_most_of_its_states(
    residency: dict[str, float],
) -> None:
    currents = [current_ua(POWER, state) for state in residency]
    average = estimate(residency, POWER).average_ua_estimated
    assert min(currents) - 1e-6 <= average <= max(currents) + 1e-6


@given(residencies(), st.sampled_from(ACTIVE), st.floats(0, 1))
def test_time_that_moves_from_sleep_to_work_never_makes_a_battery_last_longer(
    residency: dict[str, float], state: str, part: float
) -> None:
    moved = residency.get("sleep", 0.0) * part
    busier = {**residency, "sleep": residency.get("sleep", 0.0) - moved}
    busier[state] = busier.get(state, 0.0) + moved
    before, after = estimate(residency, POWER), estimate(busier, POWER)
    assert after.average_ua_estimated >= before.average_ua_estimated - 1e-9
    assert after.days_estimated <= before.days_estimated * (1 + 1e-9)


@given(residencies(), st.floats(1.0, 1e9), st.floats(0.5, 5))
def test_scaled_shares_make_one_or_the_chip_is_too_slow(
    residency: dict[str, float], hz: float, cycles: float
) -> None:
    power = dataclasses.replace(POWER, cycles_per_instruction=cycles)
    busy = sum(residency.get(s, 0.0) for s in ACTIVE) * hz * cycles / power.clock_hz
    try:
        made = scaled(residency, hz, power)
    except TooSlowError:
        assert busy > 1 - 1e-9
        return
    assert busy <= 1 + 1e-9
    assert sum(made.values()) == pytest.approx(1)
    assert min(made.values()) >= 0
    assert estimate(made, power).average_ua_estimated >= power.sleep_ua - 1e-9


@given(residencies())
def test_what_a_device_rounds_to_ten_thousandths_is_taken(residency: dict[str, float]) -> None:
    rounded = {state: math.floor(share * 10_000) / 10_000 for state, share in residency.items()}
    exact = estimate(residency, POWER).average_ua_estimated
    assert estimate(rounded, POWER).average_ua_estimated == pytest.approx(exact, rel=1e-3, abs=8)


# ---- the boards


@pytest.mark.parametrize("name", board_names())
def test_an_estimate_of_a_board_is_finite_or_there_is_no_table(name: str) -> None:
    power = load_board(name).power
    if power is None:
        assert name in ("mps3_an547", "native", "nrf51_large", "riscv_virt")
        return
    made = estimate({"sleep": 0.99, "stage_2": 0.01}, power)
    assert 0 < made.days_estimated < math.inf
    assert made.mah_per_day_estimated * made.days_estimated == pytest.approx(power.battery_mah)
