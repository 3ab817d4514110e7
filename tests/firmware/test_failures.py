# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What the firmware says when its engine refuses a model, or fails in an inference."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.conftest import Library
from tests.firmware.test_app import copies, pieces, run, start, windows
from tests.firmware.test_session import Device, record
from tests.support.faulty_engine import ARENA, ENGINE
from torpor.plan.status import STATUSES
from torpor.wire import framing, records
from torpor.wire.records import STATUS

MESSAGE_BYTES = next(f.max for f in records.Hello.spec.fields if f.name == "message")
CRC_OF_ABC = 0x352441C2
ADVICE = "Failed to resize buffer. Requested: 4096, available 1024, missing: 3072"


@pytest.fixture
def faulty(bench: Library) -> Iterator[Library]:
    """A library whose engine can fail, and works again afterwards."""
    bench.c.faulty_reset()
    yield bench
    bench.c.faulty_reset()


def says(library: Library, message: bytes, **faults: int) -> Any:
    """Let the engine fail with a message; the result has to be kept as long."""
    kept = library.ffi.new("char[]", message)
    library.c.faulty_says = kept
    for name, value in faults.items():
        setattr(library.c, f"faulty_{name}", value)
    return kept


def hello(device: Device) -> Any:
    (answer,) = device.ask(records.Ping(1))
    return answer


def test_a_model_that_is_refused_is_told_with_what_the_engine_says(faulty: Library) -> None:
    kept = says(faulty, ADVICE.encode(), init=ARENA)
    device = start(faulty, copies(3).build())
    told = hello(device)
    assert (told.plan_status, told.engine, told.message) == (ARENA, "torpor", ADVICE)
    assert kept


def lines_at_start(library: Library) -> list[str]:
    library.c.shim_sent_length = 0
    library.c.session_start()
    sent = bytes(library.ffi.buffer(library.c.shim_sent, library.c.shim_sent_length))
    events = list(framing.Decoder().feed(sent))
    return [str(event) for event in events if isinstance(event, framing.Text)]


def test_a_line_of_text_says_so_too(faulty: Library) -> None:
    start(faulty, copies(3).build())
    assert lines_at_start(faulty) == []
    kept = says(faulty, ADVICE.encode(), init=ARENA)
    assert lines_at_start(faulty) == [f"model refused: arena: {ADVICE}"]
    faulty.c.faulty_says = faulty.ffi.NULL
    assert lines_at_start(faulty) == ["model refused: arena"]
    assert kept


@pytest.mark.parametrize("number", sorted(set(STATUSES) - {0}))
def test_each_status_is_told_by_its_name(faulty: Library, number: int) -> None:
    start(faulty, copies(3).build())
    faulty.c.faulty_init = number
    assert lines_at_start(faulty) == [f"model refused: {STATUSES[number].name}"]


def test_an_inference_that_fails_has_a_result_without_data(faulty: Library) -> None:
    device = start(faulty, copies(3).build())
    kept = says(faulty, b"Node 2 failed to invoke", invoke=ENGINE)
    device.ask(*pieces(0, b"abc"))
    window = next(windows)
    events = device.send(records.Run(2, window, CRC_OF_ABC))
    assert isinstance(events[0], framing.Frame)
    result: Any = record(events[0])
    lines = [str(e) for e in events if isinstance(e, framing.Text)]
    assert (result.status, result.data, result.best) == (STATUS["failed"], b"", 0)
    assert result.ticks > 0 and result.runs == 0
    assert lines == ["inference failed: engine: Node 2 failed to invoke"]
    told = hello(device)
    assert (told.plan_status, told.message) == (0, "Node 2 failed to invoke")
    assert kept


def test_there_are_no_outputs_to_read_then(faulty: Library) -> None:
    device = start(faulty, copies(3).build())
    run(device, b"abc")
    faulty.c.faulty_invoke = ENGINE
    run(device, b"abc")
    (answer,) = device.ask(records.Read(9, 0, 0, 3))
    assert (answer.status, answer.data) == (STATUS["bad_request"], b"")  # type: ignore[attr-defined]


def test_a_request_that_comes_again_is_not_tried_again(faulty: Library) -> None:
    device = start(faulty, copies(3).build())
    faulty.c.faulty_invoke = ENGINE
    window = next(windows)
    device.ask(*pieces(0, b"abc"))
    first, again = (device.send(records.Run(n, window, CRC_OF_ABC)) for n in (5, 6))
    results = [record(e) for e in (*first, *again) if isinstance(e, framing.Frame)]
    found = [r for r in results if isinstance(r, records.Result)]
    assert [(r.seq, r.status) for r in found] == [(5, STATUS["failed"]), (6, STATUS["failed"])]
    assert faulty.c.faulty_invocations == 1


def test_the_next_window_is_tried(faulty: Library) -> None:
    device = start(faulty, copies(3).build())
    faulty.c.faulty_invoke = ENGINE
    run(device, b"abc")
    faulty.c.faulty_invoke = 0
    result, _ = run(device, b"xyz")
    assert (result.status, result.data, result.runs) == (STATUS["ok"], b"xyz", 1)


def test_a_message_never_makes_a_frame_or_a_line_that_cannot_be_read(faulty: Library) -> None:
    device = start(faulty, copies(3).build())

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=150))
    def check(message: str) -> None:
        kept = says(faulty, message.encode(), invoke=ENGINE)
        device.ask(*pieces(0, b"abc"))
        events = device.send(records.Run(2, next(windows), CRC_OF_ABC))
        assert [type(e) for e in events] == [framing.Frame, framing.Text, framing.Frame]
        assert str(events[1]).startswith("inference failed: engine")
        told = hello(device).message
        assert message.startswith(told)
        assert len(told.encode()) <= MESSAGE_BYTES
        assert told == message or len(told.encode()) > MESSAGE_BYTES - 4
        assert kept

    check()
