# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sleeping device on a clock that is a number: what wakes it, what it says, when it sleeps."""

import numpy as np
import pytest

from tests.wake.conftest import BLOCK, LEFT, RATE, RIGHT, WAKE, Device, Maker, of, scene
from torpor.wire import records
from torpor.wire.records import STATUS

BLOCK_S = BLOCK / RATE


def test_it_says_who_it_is_when_it_starts(device: Maker) -> None:
    heard = device().start(
        kept=True, reason=19, exception=3, pc=0x1234, lr=0x5678, cfsr=0x8200, cause=5
    )
    hello, restarted, about, *labels = heard[:6]
    assert isinstance(hello, records.Hello)
    assert restarted == records.Restarted(0, 1, 19, 3, 0x1234, 0x5678, 0x8200, 3, 2, 1, b"", 5)
    assert about == records.About(
        1, "motion", "gated", 3, 60, RATE, 0, "1.2.3", "4.5.6", hello.plan_crc
    )
    names = ["rest", "left", "right"]
    assert labels == [records.Label(2 + i, i, name) for i, name in enumerate(names)]


def test_the_last_steps_of_the_run_before_are_told(device: Maker) -> None:
    made = device()
    made.c.shim_trace[0] = {"time": 0x01020304, "what": 5, "value": 0x0607}
    made.c.shim_traced = 1
    (restarted,) = of(records.Restarted, made.start())
    assert restarted.trace == bytes([1, 2, 3, 4, 0, 5, 6, 7])


def test_a_quiet_device_does_nothing_but_take_blocks(device: Maker) -> None:
    made = device()
    made.put_scene(scene(50))
    made.start()
    before = made.c.shim_sleeps
    assert made.run(40) == []
    looks = 40 / (4 / 4)  # of the watchdog, four in its time
    assert made.c.shim_sleeps - before <= 40 / BLOCK_S + looks + 2
    (summary,) = of(records.Summary, made.run(15))
    assert (summary.wakes, summary.inferences, summary.counts) == (0, 0, b"")
    assert summary.span == 50_000


def test_what_moves_wakes_it_and_is_told(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (20, 0, 2), (40, 1, 2)))
    made.start()
    heard = made.run(61)
    left, right = of(records.Decision, heard)
    assert (left.best, left.source, left.failure, left.wake) == (LEFT, 0, 0, 1)
    assert 20_000 < left.time <= 20_000 + 1000 * 2 * BLOCK_S
    assert (right.best, right.wake) == (RIGHT, 2) and 40_000 < right.time < 41_000
    (summary,) = of(records.Summary, heard)
    assert (summary.wakes, summary.rejected, summary.fallbacks, summary.errors) == (2, 0, 0, 0)
    counts = dict(zip(summary.counts[::2], summary.counts[1::2], strict=True))
    assert sum(counts.values()) == summary.inferences and set(counts) == {LEFT, RIGHT}
    shares = np.frombuffer(summary.residency, ">u2")
    assert abs(int(shares.sum()) - 10_000) <= len(shares)


def test_records_are_numbered_without_a_gap(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (20, 0, 2), (40, 1, 2)))
    heard = made.start() + made.run(30) + made.run(31)
    numbers = [record.n for record in heard if hasattr(record, "n")]
    assert numbers == list(range(len(numbers)))


def test_a_short_knock_is_rejected_by_stage_1(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (20, 0, 0.2), height=120))
    made.start()
    (summary,) = of(records.Summary, made.run(61))
    assert (summary.wakes, summary.rejected, summary.inferences) == (1, 1, 0)


def test_a_sensor_that_never_rests_does_not_keep_it_awake(device: Maker) -> None:
    made = device()
    made.put_scene(scene(100, (5, 0, 90)))
    made.start()
    heard = made.run(101)
    inferences = sum(s.inferences for s in of(records.Summary, heard))
    assert WAKE.longest * 0.9 <= inferences <= WAKE.longest


def test_one_that_always_infers_misses_nothing_and_finds_the_same(
    device: Maker, always: Maker
) -> None:
    played = scene(120, (20, 0, 2), (40, 1, 2), (70, 0, 2))
    found = []
    for made in (device(), always()):
        made.put_scene(played)
        made.start()
        heard = made.run(121)
        found.append([(d.time, d.best) for d in of(records.Decision, heard)])
        inferences = sum(s.inferences for s in of(records.Summary, heard))
    gated, ungated = found
    assert [best for _, best in gated] == [best for _, best in ungated] == [LEFT, RIGHT, LEFT]
    late = [a - b for (a, _), (b, _) in zip(gated, ungated, strict=True)]
    assert 0 <= min(late) <= max(late) <= 1000 * BLOCK_S  # a wake's first window has none before
    assert inferences == 120 / BLOCK_S


# ---- what a host asks for


def asked(made: Device, *requests: records.Record, seconds: float = 0.0) -> list[records.Record]:
    return made.run(seconds, *requests)


def test_a_command_makes_it_look_without_any_motion(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60))
    made.start()
    made.run(5)
    (ack,) = asked(made, records.Trigger(7, 3))
    assert ack == records.Ack(7, STATUS["ok"])
    made.run(5)
    heard = asked(made, records.Ask(8, 1))
    (summary,) = of(records.Summary, heard)
    assert (summary.wakes, summary.rejected) == (1, 1)
    assert heard[-1] == records.Ack(8, STATUS["ok"])


@pytest.mark.parametrize("windows", [0, 65536])
def test_a_command_for_no_windows_is_refused(device: Maker, windows: int) -> None:
    made = device()
    made.start()
    assert asked(made, records.Trigger(1, windows)) == [records.Ack(1, STATUS["bad_request"])]


def test_a_button_makes_it_look(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60))
    made.start()
    made.c.shim_edge = True
    made.run(2)
    (summary,) = of(records.Summary, asked(made, records.Ask(1, 1)))
    assert summary.wakes == 1


def test_looking_at_an_interval_does_not_end_it(device: Maker) -> None:
    made = device()
    made.put_scene(scene(70, (5, 0, 2)))
    made.start()
    made.run(30)
    (looked,) = of(records.Summary, asked(made, records.Ask(1, 1)))
    (again,) = of(records.Summary, asked(made, records.Ask(2, 1)))
    assert (looked.span, looked.inferences) == (again.span, again.inferences)
    assert looked.span == 30_000 and looked.inferences > 0
    assert looked.residency == b""
    (whole,) = of(records.Summary, made.run(31))
    assert (whole.span, whole.inferences) == (60_000, looked.inferences)
    assert len(whole.residency) == 14


def test_what_it_has_told_it_tells_again(device: Maker) -> None:
    made = device()
    started = made.start(kept=True, reason=18)
    about = asked(made, records.Ask(1, 0))
    assert [type(r) for r in about] == [records.About, *[records.Label] * 3, records.Ack]
    (again,) = of(records.Restarted, asked(made, records.Ask(2, 2)))
    (told,) = of(records.Restarted, started)
    assert (again.reason, again.resets) == (told.reason, told.resets)


def test_an_unknown_question_is_refused(device: Maker) -> None:
    made = device()
    made.start()
    assert asked(made, records.Ask(5, 99)) == [records.Ack(5, STATUS["bad_request"])]


def test_a_device_without_flash_has_kept_nothing(device: Maker) -> None:
    made = device()
    made.start()
    (sample,) = asked(made, records.Fetch(3, 0, 0))
    assert isinstance(sample, records.Sample) and (sample.seq, sample.status) == (3, 1)


# ---- heat and battery


def test_heat_and_an_empty_battery_slow_it_down(device: Maker) -> None:
    def inferences(*requests: records.Record) -> int:
        made = device()
        made.put_scene(scene(100, (10, 0, 8), (40, 1, 8), (70, 0, 8)))
        made.start()
        made.run(1, *requests)
        return sum(s.inferences for s in of(records.Summary, made.run(100)))

    normal = inferences()
    hot = inferences(records.Environment(1, 460, 65535))
    low = inferences(records.Environment(1, -32768, 250))
    assert hot == low and 0.4 * normal < hot < 0.8 * normal


def test_a_new_level_of_the_policy_is_told_once(device: Maker) -> None:
    made = device()
    made.start()
    heard = asked(made, records.Environment(1, 560, 900), records.Environment(2, 560, 900))
    (about,) = of(records.About, heard)
    assert about.level == 2
    assert of(records.Ack, heard) == [records.Ack(1, 0), records.Ack(2, 0)]


@pytest.mark.parametrize(("temperature", "battery"), [(32768, 0), (-32769, 0), (0, 65536)])
def test_no_such_heat_is_refused(device: Maker, temperature: int, battery: int) -> None:
    made = device()
    made.start()
    answers = asked(made, records.Environment(1, temperature, battery))
    assert answers == [records.Ack(1, STATUS["bad_request"])]


# ---- the model as the host's


def test_while_a_host_uses_the_model_it_does_not_infer(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (5, 0, 2), (20, 1, 2)))
    made.start()
    made.run(4)
    made.run(6, records.Input(1, 0, 0, bytes(16)))
    (summary,) = of(records.Summary, asked(made, records.Ask(2, 1)))
    assert summary.inferences == 0
    assert [d.best for d in of(records.Decision, made.run(51))] == [RIGHT]


def test_a_ping_does_not_disturb_it(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (5, 0, 2)))
    made.start()
    made.run(4.9)
    heard = made.run(4, records.Ping(9))
    assert [d.best for d in of(records.Decision, heard)] == [LEFT]
    assert of(records.Hello, heard)[0].seq == 9


# ---- waking


@pytest.mark.parametrize("mask", range(1, 40))
def test_a_byte_that_comes_while_it_falls_asleep_is_not_lost(device: Maker, mask: int) -> None:
    """The last byte of a request comes just before interrupts are masked, at any of many times."""
    made = device()
    made.put_scene(scene(60))
    made.start()
    heard = made.run(8, records.Ping(77), mask=mask)
    assert [h.seq for h in of(records.Hello, heard)] == [77]


def test_time_that_wraps_changes_nothing(device: Maker) -> None:
    found = []
    for ticks in (0, 2**32 - 10_000_000):
        made = device()
        made.c.shim_ticks = ticks
        made.put_scene(scene(60, (5, 0, 2), (20, 1, 2)))
        made.start()
        found.append([(d.time, d.best) for d in of(records.Decision, made.run(61))])
    assert found[0] == found[1] and len(found[0]) == 2


def test_nobody_is_listened_to_so_closely_after_ten_quiet_seconds(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60))
    made.start()
    made.run(9)
    assert made.c.shim_deep_sleeps == 0
    made.run(11)
    light = made.c.shim_sleeps - made.c.shim_deep_sleeps
    assert made.c.shim_deep_sleeps > 0
    made.run(15)
    assert made.c.shim_sleeps - made.c.shim_deep_sleeps == light, "every sleep is deep now"


def test_a_request_keeps_it_listening_for_ten_seconds(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60))
    made.start()
    made.run(20)
    (answer,) = of(records.Ack, made.run(1, records.Ask(7, 0)))
    assert answer.seq == 7
    deep = made.c.shim_deep_sleeps
    made.run(8)
    assert made.c.shim_deep_sleeps == deep
    made.run(5)
    assert made.c.shim_deep_sleeps > deep
