# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What the sleeping device does when something is wrong: every way into the fallback, the
watchdog, scenes over a bad wire, a link that an update needs."""

import numpy as np
import pytest

from tests.support.faulty_engine import ENGINE as FAILED
from tests.wake.conftest import BLOCK, LEFT, RATE, REST, RIGHT, WAKE, Device, Maker, of, scene
from torpor.scene.scene import render
from torpor.wire import records
from torpor.wire.records import STATUS

PLAN, INPUT, DEADLINE, POLICY, ENGINE = range(1, 6)
MODEL, CACHE, FALLBACK = range(3)
LARGEST = 16 + 3 * 4  # of a plan that is refused: INFER_E_KERNEL would do as well


def test_without_a_model_the_fallback_answers_once_a_wake(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (5, 0, 3), (20, 1, 3)))
    made.c.shim_plan_status = 7
    made.start()
    heard = made.run(61)
    answers = of(records.Decision, heard)
    assert [(a.source, a.failure, a.best, a.score) for a in answers] == [
        (FALLBACK, PLAN, REST, 0)
    ] * 2
    (summary,) = of(records.Summary, heard)
    assert (summary.fallbacks, summary.inferences) == (2, 0) and summary.errors > 2


def test_one_that_takes_too_long_is_a_failure(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (5, 0, 2)))
    made.c.shim_look_ticks = 40_000  # between any two looks at the clock; blocks come in 200,000
    made.start()
    heard = made.run(80)
    (answer,) = of(records.Decision, heard)
    assert (answer.source, answer.failure) == (FALLBACK, DEADLINE)


def text_of(made: Device) -> list[bytes]:
    """Return the lines of text that it has sent so far."""
    sent = bytes(made.ffi.buffer(made.c.shim_sent, made.c.shim_sent_length))
    return [line for line in sent.splitlines() if line.isascii() and b"failed" in line]


def test_an_engine_that_fails_leads_to_the_fallback_and_is_told_once(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (5, 0, 3), (20, 1, 3)))
    message = made.ffi.new("char[]", b"Node 3 failed to invoke")
    made.c.faulty_invoke, made.c.faulty_says = FAILED, message
    made.start()
    heard = made.run(61)
    answers = of(records.Decision, heard)
    assert [(a.source, a.failure, a.best) for a in answers] == [(FALLBACK, ENGINE, REST)] * 2
    (summary,) = of(records.Summary, heard)
    assert made.c.faulty_invocations > 2
    assert (summary.fallbacks, summary.inferences) == (2, 0)
    assert (summary.errors, summary.counts) == (made.c.faulty_invocations, b"")
    assert text_of(made) == [b"inference failed: engine: Node 3 failed to invoke"]
    (hello,) = of(records.Hello, made.run(1, records.Ping(9)))
    assert (hello.plan_status, hello.message) == (0, "Node 3 failed to invoke")


def test_an_engine_that_works_again_answers_again(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (5, 0, 3), (20, 1, 3), (40, 0, 3)))
    made.c.faulty_invoke = FAILED
    made.start()
    first = of(records.Decision, made.run(15))
    made.c.faulty_invoke = 0
    second = of(records.Decision, made.run(20))
    made.c.faulty_invoke = FAILED
    made.run(26)
    assert [a.failure for a in first] == [ENGINE]
    assert {(a.source, a.failure, a.best) for a in second} == {(MODEL, 0, RIGHT)}
    assert text_of(made) == [b"inference failed: engine"] * 2, "each time that it begins to fail"


def test_heat_forbids_stage_2_and_the_last_answer_is_given_while_it_is_fresh(device: Maker) -> None:
    made = device()
    made.put_scene(scene(200, (5, 0, 2), (20, 1, 2), (150, 1, 2)))
    made.start()
    (first,) = of(records.Decision, made.run(10))
    made.run(1, records.Environment(1, 700, 65535))
    (cached,) = of(records.Decision, made.run(20))
    assert (cached.source, cached.failure) == (CACHE, POLICY)
    assert (cached.best, cached.time) == (LEFT, first.time)
    (stale,) = of(records.Decision, made.run(140))
    assert (stale.source, stale.failure, stale.best) == (FALLBACK, POLICY, REST)
    made.run(1, records.Environment(2, 200, 65535))


def test_blocks_that_were_lost_are_counted_and_no_window_is_made_of_them(device: Maker) -> None:
    made = device()
    made.put_scene(scene(120, (4, 0, 30)))
    made.start()
    made.run(6)
    made.c.shim_ticks += 20_000_000  # something kept the CPU busy
    heard = made.run(100)
    assert INPUT in [a.failure for a in of(records.Decision, heard)]
    summaries = of(records.Summary, heard)
    assert sum(s.lost for s in summaries) > 0 and sum(s.errors for s in summaries) >= 1
    assert summaries[-1].time == 120_000


def test_the_watchdog_is_fed_while_blocks_come_and_not_when_they_stop(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60))
    made.start()
    assert made.c.shim_watchdogs == 1
    made.run(10)
    fed = made.c.shim_fed
    assert fed >= 8
    made.c.shim_stuck = True
    made.run(20)
    assert made.c.shim_fed <= fed + 2


def test_the_watchdog_is_fed_when_the_scene_is_over(device: Maker) -> None:
    made = device()
    made.put_scene(scene(5))
    made.start()
    made.run(6)
    fed = made.c.shim_fed
    made.run(20)
    assert made.c.shim_fed >= fed + 15


def test_another_model_is_taken_up_and_told(device: Maker) -> None:
    made = device()
    made.put_scene(scene(60, (20, 1, 2)))
    made.start()
    made.run(5)
    made.c.shim_again()
    heard = made.heard()
    assert of(records.Hello, heard) and of(records.About, heard)
    assert made.c.shim_watchdogs == 2
    assert [d.best for d in of(records.Decision, made.run(55))] == [RIGHT]


def test_an_update_needs_the_link_and_what_is_held_back_is_counted(device: Maker) -> None:
    events = [(5 + 6 * i, i % 2, 2) for i in range(18)]
    made = device()
    made.put_scene(scene(120, *events))
    made.start()
    made.run(4)
    made.c.shim_busy = True
    for _ in range(40):  # a flood: every answer is about 100 bytes of records
        made.run(0, records.Ask(1, 0))
    sent = made.run(0)
    made.c.shim_busy = False
    heard = sent + made.run(116)
    numbers = [record.n for record in heard if hasattr(record, "n")]
    dropped = sum(s.dropped for s in of(records.Summary, heard))
    assert dropped > 100
    assert numbers[-1] + 1 >= dropped


@pytest.mark.parametrize("busy", [False, True])
def test_the_flash_is_left_alone_while_an_update_needs_the_link(device: Maker, busy: bool) -> None:
    """Many chips are deaf while their flash is busy."""
    made = device()
    made.put_scene(scene(400, *[(5 + 6 * i, i % 2, 2) for i in range(60)]))
    made.c.shim_has_flash = True
    made.c.shim_busy = busy
    made.start()
    made.run(400)
    assert (made.c.shim_flash_uses == 0) == busy


def test_answers_are_given_always_and_telemetry_pays_for_them(device: Maker) -> None:
    made = device()
    made.put_scene(scene(120))
    made.start()
    made.run(4)
    made.c.shim_busy = True
    assert of(records.About, made.run(0, records.Ask(1, 0)))
    answers = [made.run(0, records.Trigger(number, 1)) for number in range(2, 100)]
    assert all(of(records.Ack, heard) for heard in answers)
    assert not of(records.About, made.run(1, records.Ask(100, 0)))
    assert not of(records.About, made.run(0, records.Ask(101, 0)))  # two seconds are owed
    made.run(2)
    assert of(records.About, made.run(0, records.Ask(102, 0)))


# ---- a scene over the wire


def feed(made: Device, samples: np.ndarray, spoil: int = 0) -> list[records.Record]:
    """Answer every `need` until the device says that it is over; every `spoil`th answer is lost."""
    heard = made.heard()
    everything = list(heard)
    asked = 0
    for _ in range(10_000):
        needs = of(records.Need, heard)
        if not needs:
            heard = made.run(1.0)
        elif needs[-1].count == 0:
            return everything
        else:
            asked += 1
            need = needs[-1]
            part = samples[need.start : need.start + need.count].astype("<i2").tobytes()
            request = records.Scene(asked, need.start, part)
            heard = made.run(1.1) if spoil and asked % spoil == 0 else made.run(0.05, request)
        everything += heard
    raise AssertionError("the device goes on asking")


@pytest.mark.parametrize("spoil", [0, 3])
def test_a_scene_over_the_wire_is_the_scene_in_memory(device: Maker, spoil: int) -> None:
    played = scene(60, (20, 0, 2), (40, 1, 2))
    in_memory, fed = device(), device()
    in_memory.put_scene(played)
    in_memory.start()
    fed.c.shim_start()
    expected = of(records.Decision, in_memory.run(61))
    heard = feed(fed, render(played, 0, played.samples), spoil)
    found = of(records.Decision, heard)
    assert [(d.time, d.best, d.score) for d in found] == [
        (d.time, d.best, d.score) for d in expected
    ]
    assert of(records.Summary, heard)[-1].span == 60_000


def test_samples_that_are_not_wanted_are_refused(device: Maker) -> None:
    made = device()
    (need,) = of(records.Need, made.start())
    assert need.start == 0 and need.count > 0
    for part, status in (
        (records.Scene(1, 99, bytes(4)), "stale_input"),
        (records.Scene(2, 0, bytes(3)), "bad_request"),
        (records.Scene(3, 0, bytes(4)), "ok"),
        (records.Scene(4, 0, bytes(4)), "stale_input"),
    ):
        heard = made.run(0, part)
        assert of(records.Ack, heard) == [records.Ack(part.seq, STATUS[status])]


def test_it_asks_again_each_second_until_samples_come(device: Maker) -> None:
    made = device()
    made.start()
    needs = of(records.Need, made.run(5.5))
    assert len(needs) == 5 and len({(n.start, n.count) for n in needs}) == 1


def test_the_end_of_a_scene_is_told_once_and_whenever_it_is_asked_for(device: Maker) -> None:
    made = device()
    made.put_scene(scene(5))
    made.start()
    assert of(records.Need, made.run(1, records.Ask(1, 3))) == []
    assert of(records.Need, made.run(10)) == [records.Need(50, 0)]
    assert of(records.Need, made.run(10, records.Ask(2, 3))) == [records.Need(50, 0)]


def test_it_is_awake_only_for_blocks_and_the_watchdog_while_it_waits(device: Maker) -> None:
    made = device()
    made.start()
    before = made.c.shim_sleeps
    made.run(10)
    assert made.c.shim_sleeps - before <= 10 + 10 + 2


def test_the_names_above_are_those_of_the_toy() -> None:
    assert (WAKE.decision.fallback, REST) == ("rest", 0) and BLOCK < RATE
