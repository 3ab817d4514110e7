# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The firmware that ships, on every board, through its serial port."""

import dataclasses
import random
import zlib
from pathlib import Path

import numpy as np
import pytest
from smp import packet as smp_packet

from tests.emulated.conftest import Device, Reference, with_changed_plan
from tests.support.tflite_builder import GraphBuilder
from torpor import emulate
from torpor.board import Board, load_board
from torpor.emulate import Firmware, firmware
from torpor.errors import DeviceError
from torpor.golden import Golden
from torpor.link import DeviceClient
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan
from torpor.wire import framing, records
from torpor.wire.records import STATUS

pytestmark = pytest.mark.emulated


# ---- who is there


def test_it_introduces_itself_at_start(device: Device) -> None:
    decoder = framing.Decoder()
    events: list[framing.Event] = []
    while not any(isinstance(event, framing.Frame) for event in events):
        data = device.emulator.transport.read(10)
        assert data, "nothing came"
        events += decoder.feed(data)
    text, frame = events[0], events[-1]
    assert str(text) == f"torpor on {device.board.name}"
    assert isinstance(frame, framing.Frame)
    hello = records.decode(frame.payload)
    assert isinstance(hello, records.Hello)
    assert hello.seq == 0


def test_hello_names_board_model_plan_and_sizes(device: Device, reference: Reference) -> None:
    hello = device.client.hello()
    assert hello.schema == records.SCHEMA_HASH
    assert (hello.board, hello.model) == (device.board.name, "motion")
    assert (hello.plan_crc, hello.plan_status) == (reference.plan_crc, 0)
    assert hello.input_bytes == len(reference.inputs[0])
    assert hello.output_bytes == len(reference.outputs[0][0])
    assert hello.timer_hz == device.board.timer.hz


# ---- inference


@pytest.mark.parametrize("bits", [8, 4], ids=["int8", "int4"])
def test_every_held_out_window_gives_the_bytes_of_tflite_micro(
    device: Device, reference: Reference
) -> None:
    client = device.client
    for window, inputs in enumerate(reference.inputs):
        inference = client.infer(window, [inputs])
        assert inference.outputs == reference.outputs[window], f"window {window}"
        assert inference.best == reference.best[window]
    client.hello()  # comes after all text and counters
    assert len(device.said) == 1 + len(reference.inputs)
    assert client.counters.resent == 0
    assert client.counters.device.dropped == client.counters.device.overrun == 0


def test_the_text_names_the_class_and_its_score(device: Device, reference: Reference) -> None:
    client = device.client
    client.infer(3, [reference.inputs[3]])
    client.hello()  # comes after the text
    labels = ["standing", "running", "walking", "badminton"]
    assert device.said[-1].startswith(f"window 3: {labels[reference.best[3]]} (score ")


def test_an_inference_takes_the_same_instructions_every_time(
    device: Device, reference: Reference
) -> None:
    client = device.client
    ticks = [client.infer(i, [reference.inputs[0]]).ticks for i in range(3)]
    assert min(ticks) > 0
    count = device.emulator.instructions(ticks[0], device.board.timer.hz)
    if device.board.emulator and device.board.emulator.kind == "native":
        assert count is None
    else:
        assert count is not None
        assert count > 10_000
        assert max(ticks) - min(ticks) <= 1


def test_the_stack_used_is_within_what_the_build_computed(
    device: Device, reference: Reference
) -> None:
    used = device.client.infer(0, [reference.inputs[0]]).stack
    if device.board.emulator and device.board.emulator.kind == "native":
        assert used == 0
        return
    assert 0 < used <= device.made.footprint["stack_bytes"]


def several_inputs_and_outputs(folder: Path) -> Path:
    """A model whose inputs and outputs are longer than a frame, and more than one of each."""
    g = GraphBuilder()
    a, b = g.input((1, 300), scale=0.1), g.input((1, 5), scale=0.1)
    weights = g.constant(np.arange(20).reshape(4, 5) - 9, scale=0.05)
    long = g.unary("RELU", a, scale=0.1, zero_point=-20)
    short = g.fully_connected(b, weights, scale=0.2)
    longest = g.pad(a, [(0, 0), (100, 112)])
    path = folder / "several.tflite"
    path.write_bytes(g.build([long, short, longest]))
    return path


def test_several_long_inputs_and_outputs_come_through(board: Board, tmp_path: Path) -> None:
    made = firmware.build(board.name, several_inputs_and_outputs(tmp_path))
    golden, random_codes = Golden(made.model), np.random.default_rng(1)
    with emulate.start(board, made.elf) as emulator:
        wire = DeviceClient(emulator.transport, timeout=20)
        loading = DeviceClient(emulator.transport, timeout=20, load=emulator.input_loader())
        for window, client in enumerate([wire, loading, wire, loading]):
            inputs = [
                random_codes.integers(-128, 128, info.shape).astype(np.int8)
                for info in golden.inputs
            ]
            answer = client.infer(window, [codes.tobytes() for codes in inputs])
            expected = [codes.tobytes() for codes in golden.invoke(inputs)]
            assert [len(data) for data in answer.outputs] == [300, 4, 512]
            assert answer.outputs == expected


@pytest.mark.parametrize(("name", "told"), [("a" + 16 * "ä", "a" + 15 * "ä"), (16 * "ä", 16 * "ä")])
def test_a_long_name_is_cut_between_characters(tmp_path: Path, name: str, told: str) -> None:
    path = several_inputs_and_outputs(tmp_path).rename(tmp_path / f"{name}.tflite")
    made = firmware.build("native", path)
    with emulate.start(load_board("native"), made.elf) as emulator:
        assert DeviceClient(emulator.transport, timeout=20).hello().model == told


# ---- requests that are repeated or wrong


def test_the_same_run_again_gives_the_same_result_without_running(
    device: Device, reference: Reference
) -> None:
    client, inputs = device.client, reference.inputs[5]
    client.infer(4, [reference.inputs[4]])
    for offset in (0, 256):
        client.request(records.Input(1, 0, offset, inputs[offset : offset + 256]), "ack")
    run = records.Run(2, 5, zlib.crc32(inputs))
    first, again = (client.request(run, "result") for _ in range(2))
    assert first == again
    for offset in (0, 256):
        client.request(records.Input(3, 0, offset, inputs[offset : offset + 256]), "ack")
    later = client.request(records.Run(4, 5, zlib.crc32(inputs)), "result")
    assert later == dataclasses.replace(first, seq=4)
    assert first.data == reference.outputs[5][0]
    client.hello()  # comes after all text
    assert len([line for line in device.said if line.startswith("window 5:")]) == 1


def test_a_reset_begins_a_sequence_again(device: Device, reference: Reference) -> None:
    client = device.client
    for _ in range(2):
        client.reset()
        for window in range(3):
            answer = client.infer(window, [reference.inputs[window]])
            assert answer.outputs == reference.outputs[window]
            assert answer.runs == window + 1


def test_a_run_whose_inputs_are_not_there_is_refused(device: Device, reference: Reference) -> None:
    client = device.client
    client.infer(0, [reference.inputs[0]])
    answer = client.request(records.Run(77, 1, zlib.crc32(reference.inputs[1])), "result")
    assert (answer.status, answer.window, answer.data) == (STATUS["stale_input"], 1, b"")
    assert client.infer(1, [reference.inputs[1]]).outputs == reference.outputs[1]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (records.Input(9, 1, 0, b"x"), "ack"),
        (records.Input(9, 0, 384, b"x"), "ack"),
        (records.Input(9, 0, 383, b"xy"), "ack"),
        (records.Input(9, 0, 2**32 - 1, b"xy"), "ack"),
        (records.Input(9, 2**32 - 1, 0, b""), "ack"),
        (records.Read(9, 0, 5, 1), "output"),
        (records.Read(9, 1, 0, 1), "output"),
        (records.Read(9, 0, 2**32 - 1, 2), "output"),
    ],
    ids=repr,
)
def test_a_request_out_of_range_is_refused_and_harms_nothing(
    device: Device, reference: Reference, request_: records.Record, answer: str
) -> None:
    client = device.client
    client.infer(0, [reference.inputs[0]])
    assert client.request(request_, answer).status == STATUS["bad_request"]
    assert client.infer(1, [reference.inputs[1]]).outputs == reference.outputs[1]


@pytest.mark.parametrize(
    "payload",
    [
        "80",
        "8118ff",
        "821863 01",
        "8201",
        "82016178",
        "8301 0101",
        "9f0101ff",
        "8201fb3ff0000000000000",
    ],
)
def test_a_frame_that_is_no_request_is_counted_and_passed_over(
    device: Device, reference: Reference, payload: str
) -> None:
    device.emulator.transport.write(framing.encode_frame(bytes.fromhex(payload)))
    client = device.client
    assert client.infer(0, [reference.inputs[0]]).outputs == reference.outputs[0]
    client.hello()
    assert client.counters.device.dropped == 1


# ---- the wire


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("gap", [400, 2000])
def test_damaged_bytes_never_change_a_result(
    device: Device, reference: Reference, gap: int, seed: int
) -> None:
    client = device.bad_client(seed, gap)
    for window in range(4):
        answer = client.infer(window, [reference.inputs[window]])
        assert answer.outputs == reference.outputs[window]
    assert client.counters.resent + client.counters.dropped > 0 or gap > 400


@pytest.mark.parametrize("seed", range(3))
def test_a_flood_of_noise_is_survived(device: Device, reference: Reference, seed: int) -> None:
    source = random.Random(seed)
    noise = source.randbytes(5000)
    device.emulator.transport.write(noise + b"\n")
    client = device.bad_client(0, 1e12)
    assert client.infer(0, [reference.inputs[0]]).outputs == reference.outputs[0]


def test_a_line_without_end_is_survived(device: Device, reference: Reference) -> None:
    device.emulator.transport.write(framing.MARKER + b"A" * 3000)
    client = device.bad_client(0, 1e12)
    assert client.infer(0, [reference.inputs[0]]).outputs == reference.outputs[0]


def test_smp_lines_are_passed_over(device: Device, reference: Reference) -> None:
    device.emulator.transport.write(b"".join(smp_packet.encode(bytes(range(200)))))
    client = device.client
    assert client.infer(0, [reference.inputs[0]]).outputs == reference.outputs[0]
    client.hello()
    assert client.counters.device.dropped == 0


def test_nothing_it_sends_contains_an_smp_marker(device: Device, reference: Reference) -> None:
    heard = bytearray()
    transport = device.emulator.transport
    real = transport.read

    def listen(timeout: float) -> bytes:
        data = real(timeout)
        heard.extend(data)
        return data

    transport.read = listen  # type: ignore[method-assign]
    client = device.client
    for window in range(20):
        client.infer(window, [reference.inputs[window]])
    assert len(heard) > 1000
    assert not any(marker in heard for marker in framing.SMP_MARKERS)


# ---- a plan that must not run

HEADER_BYTES = {"magic": 0, "version": 4, "target": 6}


@pytest.mark.parametrize("field", list(HEADER_BYTES))
def test_a_refused_plan_is_reported_and_never_run(
    board: Board, made: Firmware, tmp_path: Path, field: str
) -> None:
    elf = with_changed_plan(made, tmp_path, HEADER_BYTES[field], 0x7E)
    with emulate.start(board, elf) as emulator:
        client = DeviceClient(emulator.transport, timeout=5)
        hello = client.hello()
        with pytest.raises(DeviceError, match="refused its model"):
            client.infer(0, [bytes(384)])
        answers = [
            client.request(records.Input(5, 0, 0, b"x"), "ack"),
            client.request(records.Run(6, 0, 0), "result"),
            client.request(records.Read(7, 0, 0, 1), "output"),
        ]
    assert hello.plan_status != 0
    assert {answer.status for answer in answers} == {STATUS["no_model"]}


def test_a_plan_with_a_wild_operator_is_refused(
    board: Board, made: Firmware, tmp_path: Path
) -> None:
    first = Plan.parse(made.plan).header["ops"]
    elf = with_changed_plan(made, tmp_path, first, CONST["PLAN_OP_COUNT"])
    with emulate.start(board, elf) as emulator:
        assert DeviceClient(emulator.transport, timeout=5).hello().plan_status != 0
