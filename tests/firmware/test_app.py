# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/app with models of other kinds than the usual, and its way from reset to sleep."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.conftest import Library
from tests.firmware.test_session import Device, only, record
from tests.support.plans import NO_STRING, PlanBuilder, changed, state
from tests.support.plans import record as op_record
from torpor.plan.layout import CONST
from torpor.wire import framing, records
from torpor.wire.records import STATUS, Record

RESULT_BYTES, OUTPUT_BYTES, TEXT_BYTES = 64, 256, 96
SOFTMAX: dict[str, Any] = {"scale": 1 / 256, "zero_point": -128}
windows = iter(range(1, 1 << 20))
"""No two runs of these tests are the same request."""


def copies(*sizes: int, strings: bytes = b"", labels: int = 0, **io: Any) -> PlanBuilder:
    """A model whose outputs are its inputs; `io` describes output 0."""
    plan = PlanBuilder(strings=strings)
    steps, place = len(sizes), 0
    for i, size in enumerate(sizes):
        x = plan.tensor(place, size, 0, i + 1)
        y = plan.tensor(place + size, size, i + 1, steps + 1)
        plan.inputs.append(plan.io(x))
        plan.outputs.append(plan.io(y))
        plan.ops.append(op_record("COPY", x=x, y=y, bytes=size))
        place += 2 * size
    plan.outputs[0] |= io
    plan.header = {"n_labels": labels, "name": NO_STRING, "labels": 0 if labels else NO_STRING}
    return plan


def start(bench: Library, plan: bytes) -> Device:
    """Put a plan in and start the session."""
    bench.ffi.memmove(bench.ffi.cast("uint8_t *", bench.c.torpor_plan), plan, len(plan))
    bench.c.torpor_plan_length = len(plan)
    bench.c.shim_sent_length = 0
    bench.c.session_start()
    return Device(bench)


def pieces(index: int, data: bytes) -> Iterator[Record]:
    for offset in range(0, len(data), OUTPUT_BYTES):
        yield records.Input(1, index, offset, data[offset : offset + OUTPUT_BYTES])


def run(device: Device, *inputs: bytes) -> tuple[Any, list[str]]:
    """Write inputs, run; return the result and the lines of text."""
    device.ask(*(piece for i, data in enumerate(inputs) for piece in pieces(i, data)))
    window = next(windows)
    events = device.send(records.Run(2, window, zlib.crc32(b"".join(inputs))))
    frames = [record(e) for e in events if isinstance(e, framing.Frame)]
    lines = [str(e) for e in events if isinstance(e, framing.Text)]
    return only(frames, records.Result), [line.removeprefix(f"window {window}: ") for line in lines]


# What is said of a result


def test_a_class_without_a_label_is_named_by_its_number(bench: Library) -> None:
    device = start(bench, copies(4).build())
    result, lines = run(device, bytes([1, 2, 9, 3]))
    assert (result.best, lines) == (2, ["class 2"])


def test_a_class_beyond_the_labels_is_named_by_its_number(bench: Library) -> None:
    device = start(bench, copies(4, strings=b"a\0b\0", labels=2).build())
    assert run(device, bytes([0, 5, 0, 0]))[1] == ["b"]
    assert run(device, bytes([0, 5, 0, 6]))[1] == ["class 3"]


def test_of_equal_codes_the_first_is_the_best(bench: Library) -> None:
    device = start(bench, copies(4).build())
    assert run(device, bytes([1, 7, 7, 7]))[0].best == 1
    assert run(device, bytes([0x80] * 4))[0].best == 0


def test_codes_are_signed(bench: Library) -> None:
    assert run(start(bench, copies(3).build()), bytes([0xFF, 0x80, 0x00]))[0].best == 2


@pytest.mark.parametrize(
    ("code", "percent"), [(-128, 0), (-127, 0), (-126, 1), (0, 50), (126, 99), (127, 100)]
)
def test_the_score_of_a_softmax_is_rounded_percent(bench: Library, code: int, percent: int) -> None:
    device = start(bench, copies(2, **SOFTMAX).build())
    assert run(device, bytes([code & 255, 0x80]))[1] == [f"class 0 (score {percent} %)"]


@pytest.mark.parametrize(
    "io", [{"scale": 1 / 256, "zero_point": -127}, {"scale": 1 / 128, "zero_point": -128}], ids=str
)
def test_only_the_scale_of_a_softmax_has_a_score(bench: Library, io: dict[str, Any]) -> None:
    assert run(start(bench, copies(2, **io).build()), b"\x01\x02")[1] == ["class 1"]


LARGEST: list[tuple[str, list[float], int]] = [
    ("INT8", [-1, -128, 0, -3], 2),
    ("UINT8", [1, 200, 127, 5], 1),
    ("BOOL", [0, 0, 1, 1], 2),
    ("INT16", [-1, -300, 255, 256], 3),
    ("INT32", [-(1 << 31), -5, -70_000, -6], 1),
    ("FLOAT32", [-1.5, -0.25, -3e38, -0.5], 1),
    ("FLOAT32", [0.125, 1e-30, 7.5, -9.0], 2),
    ("FLOAT32", [-0.0, 0.0, -1.0, -2.0], 1),
]


@pytest.mark.parametrize(("kind", "values", "best"), LARGEST, ids=str)
def test_the_best_is_the_largest_of_any_type(
    bench: Library, kind: str, values: list[float], best: int
) -> None:
    data = np.array(values, kind.lower()).tobytes()
    io: dict[str, Any] = {"type": CONST[f"PLAN_TYPE_{kind}"], "dims": [2, 2, 1, 1, 1], "rank": 2}
    result, lines = run(start(bench, copies(len(data), **io).build()), data)
    assert (result.best, lines, result.data) == (best, [f"class {best}"], data)


def test_a_long_label_is_cut_and_the_line_still_ends(bench: Library) -> None:
    device = start(bench, copies(2, strings=b"L" * 200 + b"\0m\0", labels=2, **SOFTMAX).build())
    lines = run(device, b"\x7f\x00")[1]
    assert len(lines) == 1
    assert set(lines[0].removeprefix("window ")) <= set("L")
    assert len(lines[0]) >= TEXT_BYTES - 1 - len("window 1048576: ")


# Several and large inputs and outputs


def test_several_inputs_and_outputs_are_reached_each(bench: Library) -> None:
    device = start(bench, copies(300, 5).build())
    first, second = bytes(range(256)) + bytes(44), b"later"
    result, _ = run(device, first, second)
    assert result.data == first[:RESULT_BYTES]
    for index, whole in enumerate((first, second)):
        for offset in range(0, len(whole), 100):
            reply = only(device.ask(records.Read(3, index, offset, 100)), records.Output)
            part = whole[offset : offset + 100]
            assert (reply.status, reply.data) == (STATUS["ok"], part)  # type: ignore[attr-defined]


def test_hello_adds_up_all_inputs_and_outputs(bench: Library) -> None:
    hello: Any = only(start(bench, copies(300, 5).build()).ask(records.Ping(1)), records.Hello)
    assert (hello.input_bytes, hello.output_bytes) == (305, 305)
    assert (hello.model, hello.plan_status, hello.arena_bytes) == ("", 0, 610)


def test_a_long_name_is_cut_to_what_hello_has_room_for(bench: Library) -> None:
    plan = copies(2, strings=b"n" * 40 + b"\0")
    plan.header["name"] = 0
    hello: Any = only(start(bench, plan.build()).ask(records.Ping(1)), records.Hello)
    assert hello.model == "n" * 32


def test_the_order_of_the_inputs_counts_for_their_crc(bench: Library) -> None:
    device = start(bench, copies(2, 2).build())
    device.ask(*pieces(0, b"ab"), *pieces(1, b"cd"))
    reply: Any = only(
        device.ask(records.Run(1, next(windows), zlib.crc32(b"cdab"))), records.Result
    )
    assert reply.status == STATUS["stale_input"]


def test_a_run_without_new_inputs_uses_what_is_in_the_arena(bench: Library) -> None:
    plan = copies(3)
    device = start(bench, plan.build())
    assert run(device, b"abc")[0].data == b"abc"
    again: Any = only(device.ask(records.Run(9, next(windows), zlib.crc32(b"abc"))), records.Result)
    assert (again.status, again.data) == (STATUS["ok"], b"abc")


def test_a_plan_that_needs_more_arena_than_there_is_is_refused(bench: Library) -> None:
    plan = copies(2)
    plan.header["arena_bytes"] = 4097
    hello: Any = only(start(bench, plan.build()).ask(records.Ping(1)), records.Hello)
    assert (hello.plan_status, hello.arena_bytes) == (CONST_ARENA, 0)
    plan.header["arena_bytes"] = 4096
    hello = only(start(bench, plan.build()).ask(records.Ping(1)), records.Hello)
    assert hello.plan_status == 0


CONST_ARENA = 6
"""INFER_E_ARENA."""


def test_a_plan_that_the_checker_refuses_is_never_opened(bench: Library) -> None:
    plan = changed(copies(2).build(), "op 0.bytes", 3)
    device = start(bench, plan)
    reply: Any = only(device.ask(records.Input(1, 0, 0, b"x")), records.Ack)
    assert reply.status == STATUS["no_model"]
    start(bench, copies(2).build())


def test_a_reset_and_a_start_put_the_states_back(bench: Library) -> None:
    device = start(bench, state(7).build())
    lowest = bytes([0x80] * 4)
    for again in (lambda: device.ask(records.Reset(1)), bench.c.session_start, lambda: None):
        assert run(device, lowest)[0].data == bytes([7] * 4)
        bench.ffi.memmove(bench.c.model_arena + 4, bytes([9] * 4), 4)
        assert run(device, lowest)[0].data == bytes([9] * 4)
        again()


def test_a_request_that_is_none_is_not_answered(bench: Library) -> None:
    device = start(bench, copies(2).build())
    bench.c.shim_sent_length = 0
    for kind in (0, 6, 16, 255):
        request = bench.ffi.new("wire_request_t *", {"id": kind})
        bench.c.session_handle(request)
    assert bench.c.shim_sent_length == 0
    assert device.ask(records.Ping(1)) != []


# From reset to sleep


def boot(
    bench: Library, arriving: Sequence[Record] = (), restart: tuple[int, ...] = (0, 0, 0, 0, 0)
) -> Any:
    """Run main() to its first sleep; return what was sent."""
    bench.c.shim_sent_length = 0
    data = b"".join(framing.encode_frame(records.encode(r)) for r in arriving)
    bench.ffi.buffer(bench.c.shim_arriving)[: len(data)] = data
    bench.c.shim_arriving_length = len(data)
    bench.c.shim_restart = restart
    before = bench.c.shim_slept
    bench.c.shim_boot()
    assert bench.c.shim_slept == before + 1
    return framing.Decoder().feed(
        bytes(bench.ffi.buffer(bench.c.shim_sent, bench.c.shim_sent_length))
    )


def test_what_a_cut_has_left_of_a_line_does_not_take_the_next_one_along(bench: Library) -> None:
    start(bench, copies(2).build())
    boot(bench)
    said = bytes(bench.ffi.buffer(bench.c.shim_sent, bench.c.shim_sent_length))
    half = framing.encode_frame(b"half of it is lost")[:11]
    events = framing.Decoder().feed(half + said)
    assert events[0] == framing.Dropped("base64", half)
    assert events[1] == framing.Text(b"torpor on shim")


FAULT = 19  # RESTART_FAULT


def test_a_start_says_who_it_is_and_sleeps(bench: Library) -> None:
    start(bench, copies(2).build())
    text, frame = boot(bench)
    assert str(text) == "torpor on shim"
    hello: Any = record(frame)
    assert (type(hello), hello.seq) == (records.Hello, 0)


def test_a_start_after_a_fault_says_where_it_was_once(bench: Library) -> None:
    start(bench, copies(2).build())
    events = boot(bench, restart=(1, FAULT, 3, 0x1234, 0xFFFFFFFE))
    texts = [str(e) for e in events if isinstance(e, framing.Text)]
    line = "restarted after exception 3 at 00001234, called from fffffffe"
    assert texts == ["torpor on shim", line]
    assert line not in map(str, boot(bench))


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=12))
def test_what_arrives_just_before_sleep_is_answered_first(bench: Library, seqs: list[int]) -> None:
    start(bench, copies(2).build())
    events = boot(bench, [records.Ping(seq) for seq in seqs])
    hellos: list[Any] = [record(e) for e in events if isinstance(e, framing.Frame)]
    assert [hello.seq for hello in hellos] == [0, *seqs]
