# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Listening to ports: what is believed, what is asked, what happens when a cable is pulled."""

import contextlib
import itertools
import queue
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.monitor.device import LABELS, Sleeper, Wire, about, decision, hello, line, summary
from tests.update_host.ports import SocketEnd, TerminalEnd
from torpor.errors import DeviceError
from torpor.monitor.collect import (
    FIRST_ASK_S,
    LONGEST_WAIT_S,
    Collector,
    Questions,
    Reader,
    open_port,
    waits,
)
from torpor.monitor.events import (
    Connected,
    Disconnected,
    Dropped,
    Event,
    Foreign,
    Received,
    Said,
)
from torpor.wire import framing, records

PATIENCE_S = 20.0


def read(data: bytes) -> list[Event]:
    return list(Reader("d", lambda: 7.0).feed(data))


# ---- what is believed


def test_a_frame_becomes_its_record() -> None:
    record = decision(3)
    assert read(line(record)) == [Received(7.0, "d", records.encode(record), record)]


def test_text_becomes_what_was_said_and_smp_nothing() -> None:
    smp = b"\x06\x09" + b"AAAA\n"
    assert read(b"hello\r\n" + smp) == [Said(7.0, "d", "hello")]


@pytest.mark.parametrize("position", range(2, len(line(decision(3))) - 1))
def test_a_frame_with_a_changed_byte_is_never_a_record(position: int) -> None:
    good = line(decision(3))
    for change in (1, 2, 0x20, 0x80):
        bad = good[:position] + bytes([good[position] ^ change]) + good[position + 1 :]
        assert not any(isinstance(event, Received) for event in read(bad))


def test_a_sound_frame_that_is_no_record_is_dropped() -> None:
    assert read(framing.encode_frame(b"\x81\x18\x63")) == [Dropped(7.0, "d", "unknown")]


def test_a_hello_of_other_records_is_foreign_even_if_it_is_longer() -> None:
    assert read(line(hello(schema=5))) == [Foreign(7.0, "d", 5)]
    longer = bytes([0x84, 16, 0, 5, 0])  # [16, 0, 5, 0]
    assert read(framing.encode_frame(longer)) == [Foreign(7.0, "d", 5)]


def test_a_cut_cable_is_the_end_of_the_line_that_had_begun() -> None:
    reader = Reader("d", lambda: 7.0)
    data = line(decision(3))
    assert list(reader.feed(data[:9])) == []
    assert list(reader.cut()) == [Dropped(7.0, "d", "cut")]
    assert len(list(reader.feed(data))) == 1, "the next line is whole"


def test_a_cut_between_lines_drops_nothing() -> None:
    reader = Reader("d", lambda: 7.0)
    assert len(list(reader.feed(line(decision(3)) + b"some te"))) == 1
    assert list(reader.cut()) == []


@given(st.lists(st.binary(max_size=60), max_size=8), st.integers(0, 2**32))
def test_garbage_between_lines_is_never_a_record(garbage: list[bytes], seed: int) -> None:
    source = random.Random(seed)
    sent = [decision(n, score=source.randrange(1000)) for n in range(len(garbage))]
    data = b"".join(junk + line(record) for junk, record in zip(garbage, sent, strict=True))
    got = [event.record for event in read(data) if isinstance(event, Received)]
    assert got == sent


# ---- what is asked


def asked(data: bytes) -> list[str]:
    decoded = (
        records.decode(e.payload)
        for e in framing.Decoder().feed(data)
        if isinstance(e, framing.Frame)
    )
    return [record.spec.kind for record in decoded if isinstance(record, records.Record)]


def heard(*given: records.Record) -> list[Event]:
    return [Received(0.0, "d", records.encode(record), record) for record in given]


def told(questions: Questions, *given: records.Record, now: float = 0.0) -> None:
    for event in heard(*given):
        questions.note(event, now)


def test_a_device_is_asked_who_it_is_and_what_it_does() -> None:
    assert asked(Questions(0.0).due(0.0)) == ["ping", "ask"]


def test_questions_are_repeated_less_and_less_often() -> None:
    questions, times = Questions(0.0), []
    for now in (tick / 10 for tick in range(3000)):
        if questions.due(now):
            times.append(now)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert len(gaps) > 5
    assert all(b > 1.5 * a for a, b in itertools.pairwise(gaps[:6]))


def test_what_is_known_is_not_asked_again() -> None:
    questions = Questions(0.0)
    questions.due(0.0)
    told(questions, hello(seq=1))
    assert asked(questions.due(100.0)) == ["ask"]
    told(questions, about(0), records.Label(1, 0, "a"), records.Label(2, 0, "a"))
    assert asked(questions.due(200.0)) == ["ask"], "two labels are missing"
    told(questions, *(records.Label(3 + i, i, name) for i, name in enumerate(LABELS)))
    assert questions.is_answered
    assert questions.due(10_000.0) == b""


def test_after_a_start_the_device_tells_by_itself_and_is_asked_only_if_that_was_lost() -> None:
    questions = Questions(0.0)
    told(questions, hello(seq=1), about(0, classes=0))
    assert questions.is_answered
    told(questions, hello(seq=0), now=50.0)
    assert questions.due(50.0) == b""
    assert asked(questions.due(50.0 + FIRST_ASK_S)) == ["ask"]


def test_numbers_of_questions_are_never_0_and_never_repeat() -> None:
    questions, seen = Questions(0.0), []
    for now in range(0, 1000, 70):
        for event in framing.Decoder().feed(questions.due(now)):
            assert isinstance(event, framing.Frame)
            record: Any = records.decode(event.payload)
            seen.append(record.seq)
    assert 0 not in seen
    assert len(set(seen)) == len(seen) > 10


# ---- ports


def test_waiting_times_double_up_to_two_seconds() -> None:
    first = list(itertools.islice(waits(), 12))
    assert all(b == min(2 * a, LONGEST_WAIT_S) for a, b in itertools.pairwise(first))
    assert first[-1] == LONGEST_WAIT_S == 2.0


def test_a_port_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    for port in (f"unix:{tmp_path}/no", str(tmp_path / "no"), "socket://127.0.0.1:1"):
        with pytest.raises(DeviceError):
            open_port(port)


class Inbox:
    """Takes events from a collector."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def put(self, event: Event) -> None:
        self._queue.put(event)

    def until(self, wanted: Callable[[Event], bool]) -> Event:
        """Return the next event that is wanted; none within PATIENCE_S is a failure."""
        while True:
            event = self._queue.get(timeout=PATIENCE_S)
            self.all.append(event)
            if wanted(event):
                return event

    def until_number(self, number: int) -> None:
        def has(event: Event) -> bool:
            return isinstance(event, Received) and getattr(event.record, "n", -1) == number

        self.until(has)


def is_a(cls: type[Event]) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, cls)


@pytest.fixture(params=[SocketEnd, TerminalEnd], ids=["socket", "terminal"])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


@contextlib.contextmanager
def following(port: str, inbox: Inbox, **options: Any) -> Iterator[Collector]:
    collector = Collector("d", port, inbox.put, **options)
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


@contextlib.contextmanager
def served(
    folder: Path, feed: Callable[[bytes], bytes], inbox: Inbox, make: Any = SocketEnd
) -> Iterator[Wire]:
    """Give a wire to a device that is followed."""
    with (
        contextlib.closing(Wire(folder / "port", feed, make)) as wire,
        following(wire.name, inbox),
    ):
        yield wire


def test_a_device_is_found_asked_and_heard(tmp_path: Path, make: Any) -> None:
    device, inbox = Sleeper(1), Inbox()
    device.start()
    with served(tmp_path, device.feed, inbox, make) as wire:
        assert isinstance(inbox.until(is_a(Connected)), Connected)
        assert wire.heard.wait(PATIENCE_S)
        wire.send(device.work())
        inbox.until_number(len(device.runs[0]) - 1)
    got = [event.payload for event in inbox.all if isinstance(event, Received)]
    assert got == device.sent[-len(got) :]
    assert {"hello", "about", "label"} <= {
        event.record.spec.kind for event in inbox.all if isinstance(event, Received)
    }


def test_a_cable_that_is_pulled_in_the_middle_of_a_record_costs_that_record(
    tmp_path: Path, make: Any
) -> None:
    device, inbox = Sleeper(2), Inbox()
    device.start()
    with served(tmp_path, device.feed, inbox, make) as wire:
        assert wire.heard.wait(PATIENCE_S)
        inbox.until(lambda e: isinstance(e, Received) and e.record.spec.kind == "ack")
        cut = device.work()
        wire.send(b"text, so that its line is known to be here\n" + cut[: len(cut) // 2])
        inbox.until(is_a(Said))
        wire.unplug()
        gone = inbox.until(is_a(Disconnected))
        wire.plug()
        inbox.until(is_a(Connected))
        assert wire.heard.wait(PATIENCE_S)
        wire.send(device.work())
        inbox.until_number(len(device.runs[0]) - 1)
    assert isinstance(gone, Disconnected)
    assert gone.reason
    got = [event.payload for event in inbox.all if isinstance(event, Received)]
    assert set(got) <= set(device.sent)
    cut_payload = framing.Decoder().feed(cut)[0]
    assert isinstance(cut_payload, framing.Frame)
    assert cut_payload.payload not in got


def test_a_port_that_comes_later_is_opened_when_it_is_there(tmp_path: Path) -> None:
    device, inbox, tries = Sleeper(3), Inbox(), threading.Semaphore(0)

    def open_link(port: str) -> Any:
        tries.release()
        return open_port(port)

    path = tmp_path / "port"
    with following(f"unix:{path}", inbox, open_link=open_link):
        for _ in range(4):
            assert tries.acquire(timeout=PATIENCE_S)
        with contextlib.closing(Wire(path, device.feed)):
            inbox.until(is_a(Connected))
    assert sum(isinstance(event, Disconnected) for event in inbox.all) == 1, "told once"


def test_stopping_frees_the_port_and_ends_a_wait(tmp_path: Path) -> None:
    device, inbox = Sleeper(4), Inbox()
    with contextlib.closing(Wire(tmp_path / "port", device.feed, TerminalEnd)) as wire:
        with following(wire.name, inbox):
            inbox.until(is_a(Connected))
        open_port(wire.name).close()  # it is exclusive: this fails while somebody has it
    with following(f"unix:{tmp_path}/nobody", inbox) as collector:
        inbox.until(is_a(Disconnected))
    assert not collector.is_alive()


def test_a_port_that_is_open_already_is_used(tmp_path: Path) -> None:
    device, inbox = Sleeper(5), Inbox()

    def refuse(_port: str) -> Any:
        raise AssertionError("it was open")

    with contextlib.closing(Wire(tmp_path / "port", device.feed)) as wire:
        opened = open_port(wire.name)
        with following(wire.name, inbox, opened=opened, open_link=refuse):
            inbox.until(is_a(Connected))
            assert wire.heard.wait(PATIENCE_S)


def test_two_summaries_of_one_device_come_in_order(tmp_path: Path) -> None:
    inbox = Inbox()
    with served(tmp_path, lambda _data: b"", inbox) as wire:
        assert wire.heard.wait(PATIENCE_S)
        wire.send(line(summary(0)) + line(summary(1)))
        inbox.until_number(1)
    numbers = [e.record.n for e in inbox.all if isinstance(e, Received)]  # type: ignore[attr-defined]
    assert numbers == [0, 1]
