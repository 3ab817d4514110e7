# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/app: requests in, answers out, with the shipped C and the real engine."""

import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.conftest import Library
from torpor.engine import Engine
from torpor.plan.reader import Plan
from torpor.wire import framing, records
from torpor.wire.records import STATUS, Record

CHUNK = 256


class Device:
    """Speaks to the firmware in the library."""

    def __init__(self, firmware: Library) -> None:
        self.firmware = firmware

    def send(self, *requests: Record) -> list[framing.Event]:
        """Send requests, return everything that comes back."""
        return self.send_bytes(b"".join(framing.encode_frame(records.encode(r)) for r in requests))

    def send_bytes(self, data: bytes) -> list[framing.Event]:
        """Send bytes in pieces that the ring can hold."""
        c = self.firmware.c
        c.shim_sent_length = 0
        for start in range(0, len(data), CHUNK):
            for byte in data[start : start + CHUNK]:
                c.console_put(byte)
            c.pump()
        sent = bytes(self.firmware.ffi.buffer(c.shim_sent, c.shim_sent_length))
        return framing.Decoder().feed(sent)

    def ask(self, *requests: Record) -> list[Record]:
        """Send requests, return the records that come back."""
        events = self.send(*requests)
        return [record(e) for e in events if isinstance(e, framing.Frame)]


def record(frame: framing.Frame) -> Record:
    decoded = records.decode(frame.payload)
    assert not isinstance(decoded, records.Unknown), decoded
    return decoded


@pytest.fixture
def device(firmware: Library) -> Device:
    """The device after a start."""
    firmware.c.session_start()
    return Device(firmware)


@pytest.fixture
def window(plan: bytes) -> np.ndarray:
    """An input of the model in it."""
    shape = Engine(plan).inputs[0].shape
    return np.random.default_rng(3).integers(-128, 128, shape).astype(np.int8)


def input_records(data: bytes, seq: int = 100) -> Iterator[Record]:
    for offset in range(0, len(data), CHUNK):
        part = data[offset : offset + CHUNK]
        yield records.Input(seq=seq + offset, index=0, offset=offset, data=part)


def run_record(data: bytes, seq: int, window: int = 3, crc: int | None = None) -> Record:
    run: Record = records.Run(seq, window, zlib.crc32(data) if crc is None else crc)
    return run


def only(replies: Sequence[Record], kind: type[Record]) -> Record:
    found = [r for r in replies if isinstance(r, kind)]
    assert len(found) == 1, replies
    return found[0]


def test_hello_says_what_is_there(device: Device, plan: bytes) -> None:
    engine = Engine(plan)
    assert device.ask(records.Ping(seq=5)) == [
        records.Hello(
            seq=5,
            schema=records.SCHEMA_HASH,
            board="shim",
            model="small",
            plan_crc=zlib.crc32(plan),
            plan_status=0,
            arena_bytes=Plan.parse(plan).header["arena_bytes"],
            input_bytes=int(np.prod(engine.inputs[0].shape)),
            output_bytes=5,
            timer_hz=1000,
            engine="torpor",
            message="",
        )
    ]


def test_a_window_goes_in_and_the_engine_s_bytes_come_out(
    device: Device, plan: bytes, window: np.ndarray
) -> None:
    expected = Engine(plan).invoke([window.copy()])[0].tobytes()
    data = window.tobytes()
    acks = device.ask(*input_records(data))
    assert {ack.status for ack in acks} == {STATUS["ok"]}  # type: ignore[attr-defined]
    events = device.send(run_record(data, seq=900))
    frames = [record(e) for e in events if isinstance(e, framing.Frame)]
    best = int(np.argmax(np.frombuffer(expected, np.int8)))
    assert frames[0] == records.Result(
        seq=900, status=0, window=3, best=best, ticks=7, runs=1, stack=321, data=expected
    )
    assert isinstance(frames[1], records.Counters)
    percent = (int(np.frombuffer(expected, np.int8)[best]) + 128) * 100 / 256
    line = f"window 3: {'abcde'[best]} (score {int(percent + 0.5)} %)"
    assert [str(e) for e in events if isinstance(e, framing.Text)] == [line]


@pytest.mark.parametrize("seq", [901, 902], ids=["the-same-request", "another-seq"])
def test_a_repeated_window_gives_the_same_result_without_running(
    device: Device, window: np.ndarray, seq: int
) -> None:
    data = window.tobytes()
    device.ask(*input_records(data))
    first: Any = only(device.ask(run_record(data, seq=901)), records.Result)
    ticks = device.firmware.c.shim_ticks
    assert device.ask(run_record(data, seq=seq)) == [dataclasses.replace(first, seq=seq)]
    assert device.firmware.c.shim_ticks == ticks


def test_a_window_that_is_asked_for_after_its_inputs_came_again_is_not_run_again(
    device: Device, window: np.ndarray
) -> None:
    data = window.tobytes()
    runs = []
    for seq in (902, 903, 904):
        device.ask(*input_records(data))
        runs.append(only(device.ask(run_record(data, seq=seq)), records.Result).runs)  # type: ignore[attr-defined]
    assert runs == [1, 1, 1]


def test_another_window_and_other_inputs_are_no_repetition(
    device: Device, plan: bytes, window: np.ndarray
) -> None:
    for runs, (number, codes) in enumerate([(3, window), (4, window), (4, window // 8)], start=1):
        device.ask(*input_records(codes.tobytes()))
        run = run_record(codes.tobytes(), seq=900, window=number)
        result: Any = only(device.ask(run), records.Result)
        assert (result.status, result.runs) == (STATUS["ok"], runs)
        assert result.data == Engine(plan).invoke([codes])[0].tobytes()


def test_a_refused_run_leaves_the_last_result_as_it_was(device: Device, window: np.ndarray) -> None:
    data = window.tobytes()
    device.ask(*input_records(data))
    first: Any = only(device.ask(run_record(data, seq=1)), records.Result)
    device.ask(run_record(data, seq=2, window=4))  # no inputs: stale
    again = device.ask(run_record(data, seq=3))
    assert again == [dataclasses.replace(first, seq=3)]


# ---- the state of a model


def test_a_reset_forgets_the_last_result_and_counts_from_the_beginning(
    device: Device, window: np.ndarray
) -> None:
    data = window.tobytes()
    device.ask(*input_records(data))
    first: Any = only(device.ask(run_record(data, seq=1)), records.Result)
    assert device.ask(records.Reset(seq=2), records.Reset(seq=2)) == 2 * [records.Ack(2, 0)]
    reading: Any = only(device.ask(records.Read(3, 0, 0, 1)), records.Output)
    assert reading.status == STATUS["bad_request"]
    device.ask(*input_records(data))
    again: Any = only(device.ask(run_record(data, seq=4)), records.Result)
    assert again == dataclasses.replace(first, seq=4, ticks=again.ticks)
    assert again.runs == 1


def test_an_empty_input_announces_inputs_that_come_another_way(
    device: Device, plan: bytes, window: np.ndarray
) -> None:
    data = window.tobytes()
    device.ask(*input_records(data))
    expected = only(device.ask(run_record(data, seq=1)), records.Result)
    assert device.ask(records.Input(seq=2, index=0, offset=0, data=b"")) == [records.Ack(2, 0)]
    reading: Any = only(device.ask(records.Read(3, 0, 0, 1)), records.Output)
    assert reading.status == STATUS["bad_request"]
    parsed = Plan.parse(plan)
    place = device.firmware.c.model_arena + parsed.tensors[parsed.inputs[0]["tensor"]]["offset"]
    device.firmware.ffi.memmove(place, data, len(data))
    result = only(device.ask(run_record(data, seq=4, window=4)), records.Result)
    assert result.data == expected.data  # type: ignore[attr-defined]


def test_inputs_that_were_not_all_received_are_not_run(device: Device, window: np.ndarray) -> None:
    data = window.tobytes()
    device.ask(*input_records(data))
    reply = device.ask(run_record(data, seq=904, crc=zlib.crc32(data) ^ 1))
    assert reply == [
        records.Result(
            seq=904,
            status=STATUS["stale_input"],
            window=3,
            best=0,
            ticks=0,
            runs=0,
            stack=0,
            data=b"",
        )
    ]


@pytest.mark.parametrize(
    ("index", "offset", "length"),
    [(1, 0, 1), (0, 189, 1), (0, 188, 2), (0, 2**32 - 1, 1), (0, 2**32 - 1, 2), (2**32 - 1, 0, 0)],
)
def test_an_input_out_of_range_is_refused(
    device: Device, index: int, offset: int, length: int
) -> None:
    request = records.Input(seq=1, index=index, offset=offset, data=bytes(length))
    assert device.ask(request) == [records.Ack(seq=1, status=STATUS["bad_request"])]


def run_once(device: Device, window: np.ndarray, seq: int) -> bytes:
    data = window.tobytes()
    device.ask(*input_records(data))
    result = only(device.ask(run_record(data, seq=seq)), records.Result)
    return result.data  # type: ignore[attr-defined, no-any-return]


def test_outputs_can_be_read_in_parts(device: Device, window: np.ndarray) -> None:
    expected = run_once(device, window, 905)
    reply = device.ask(records.Read(seq=6, index=0, offset=1, length=3))
    assert reply == [records.Output(seq=6, status=0, index=0, offset=1, data=expected[1:4])]


@pytest.mark.parametrize(
    ("index", "offset", "length"),
    [(1, 0, 1), (2**32 - 1, 0, 1), (0, 6, 1), (0, 2**32 - 1, 2)],
)
def test_an_output_out_of_range_is_refused(
    device: Device, window: np.ndarray, index: int, offset: int, length: int
) -> None:
    run_once(device, window, 906)
    reply = device.ask(records.Read(seq=7, index=index, offset=offset, length=length))
    bad = STATUS["bad_request"]
    assert reply == [records.Output(seq=7, status=bad, index=index, offset=offset, data=b"")]


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 257), (0, 2**32 - 1), (2, 2**32 - 1), (4, 2), (5, 1), (3, 0)]
)
def test_a_read_beyond_the_end_gets_what_there_is(
    device: Device, window: np.ndarray, offset: int, length: int
) -> None:
    expected = run_once(device, window, 1000 + 10 * offset + length % 7)
    reply = device.ask(records.Read(seq=7, index=0, offset=offset, length=length))
    part = expected[offset : offset + length]
    assert reply == [records.Output(seq=7, status=0, index=0, offset=offset, data=part)]


def test_outputs_are_gone_when_the_next_input_comes(device: Device, window: np.ndarray) -> None:
    run_once(device, window, 907)
    device.ask(records.Input(seq=8, index=0, offset=0, data=b"x"))
    reply = only(device.ask(records.Read(seq=9, index=0, offset=0, length=1)), records.Output)
    assert reply.status == STATUS["bad_request"]  # type: ignore[attr-defined]


def test_damaged_lines_and_unknown_records_are_counted(device: Device, window: np.ndarray) -> None:
    def counters() -> Record:
        data = window.tobytes()
        device.ask(*input_records(data))
        counters.seq += 1  # type: ignore[attr-defined]
        run = run_record(data, seq=counters.seq, window=counters.seq)  # type: ignore[attr-defined]
        return only(device.ask(run), records.Counters)

    counters.seq = 1000  # type: ignore[attr-defined]
    before = counters()
    hello_is_no_request = records.encode(device.ask(records.Ping(seq=1))[0])
    device.send_bytes(b"\x05\x12AAAA\n" + framing.encode_frame(hello_is_no_request) + b"text\n")
    after = counters()
    assert after.dropped - before.dropped == 2  # type: ignore[attr-defined]
    assert after.frames - before.frames == 3  # type: ignore[attr-defined]
    assert after.overrun == before.overrun  # type: ignore[attr-defined]


@given(st.binary(max_size=60))
def test_any_payload_in_a_sound_frame_is_survived(firmware: Library, payload: bytes) -> None:
    firmware.c.session_start()
    device = Device(firmware)
    device.send_bytes(framing.encode_frame(b"\x80" + payload))
    device.send_bytes(framing.encode_frame(payload or b"\0"))
    assert [type(r) for r in device.ask(records.Ping(seq=1))] == [records.Hello]


@given(st.binary(max_size=200))
def test_any_noise_is_survived(firmware: Library, noise: bytes) -> None:
    firmware.c.session_start()
    device = Device(firmware)
    device.send_bytes(noise + b"\n")
    assert [type(r) for r in device.ask(records.Ping(seq=2))] == [records.Hello]


def test_a_plan_that_is_refused_is_never_run(refusing: Library, window: np.ndarray) -> None:
    refusing.c.session_start()
    device = Device(refusing)
    hello = only(device.ask(records.Ping(seq=1)), records.Hello)
    assert (hello.plan_status, hello.model, hello.input_bytes) == (1, "", 0)  # type: ignore[attr-defined]
    none = STATUS["no_model"]
    assert device.ask(
        records.Input(seq=2, index=0, offset=0, data=b"x"),
        run_record(b"", seq=3),
        records.Read(seq=4, index=0, offset=0, length=1),
        records.Reset(seq=5),
    ) == [
        records.Ack(seq=2, status=none),
        records.Result(seq=3, status=none, window=3, best=0, ticks=0, runs=0, stack=0, data=b""),
        records.Output(seq=4, status=none, index=0, offset=0, data=b""),
        records.Ack(seq=5, status=none),
    ]
