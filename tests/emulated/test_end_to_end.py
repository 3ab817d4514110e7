# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The whole way by hand and in company: plain serial clients, two boards at once, starting again.

The plain client below uses nothing of torpor's but this repository's documents: CBOR, CRC-16 and
base64 come from the outside, the record numbers stand here as numbers.
"""

import base64
import binascii
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
import serial

from tests.emulated.conftest import Device, Reference
from tests.emulated.processes import alive, eventually
from torpor import emulate
from torpor.board import Board
from torpor.emulate import Firmware
from torpor.link import DeviceClient
from torpor.wire import framing, records
from torpor.wire.records import STATUS

pytestmark = pytest.mark.emulated

PING, INPUT, RUN, READ = 1, 2, 3, 4
HELLO, ACK, RESULT, OUTPUT, COUNTERS = 16, 17, 18, 19, 20
LAST = 2**32 - 1


class PlainClient:
    """Talks to a serial port with nothing but CBOR, CRC-16 and base64."""

    def __init__(self, path: str) -> None:
        self.port = serial.Serial(path, timeout=20)
        self.text: list[str] = []
        self.heard: list[list[Any]] = []

    def send(self, *record: Any) -> None:
        payload = cbor2.dumps(list(record), canonical=True)
        body = payload + binascii.crc_hqx(payload, 0).to_bytes(2, "big")
        self.port.write(b"\x05\x12" + base64.b64encode(body) + b"\n")

    def listen(self) -> list[Any]:
        """Return the next record; lines of text go to `text`."""
        while True:
            line = self.port.readline()
            assert line.endswith(b"\n"), f"nothing more came after {self.heard} {self.text}"
            if not line.startswith(b"\x05\x12"):
                self.text.append(line.decode().rstrip("\r\n"))
                continue
            body = base64.b64decode(line[2:].strip(), validate=True)
            assert binascii.crc_hqx(body, 0) == 0
            record = cbor2.loads(body[:-2])
            assert cbor2.dumps(record, canonical=True) == body[:-2], "not the shortest encoding"
            self.heard.append(record)
            return list(record)

    def await_(self, kind: int, seq: int) -> list[Any]:
        while True:
            record = self.listen()
            if record[:2] == [kind, seq]:
                return record


@pytest.fixture
def port(board: Board, made: Firmware, tmp_path: Path) -> Iterator[str]:
    """The path of a port that `torpor emulate` offers."""
    command = [sys.executable, "-m", "torpor", "emulate", "--board", board.name]
    command += ["--elf", str(made.elf), "--link", str(tmp_path / "tty")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        try:
            path = process.stdout.readline().strip()
            assert path == str(tmp_path / "tty")
            yield path
        finally:
            process.terminate()


def test_a_plain_serial_client_does_one_inference_by_hand(
    port: str, board: Board, reference: Reference
) -> None:
    client = PlainClient(port)
    client.send(PING, 5)
    hello = client.await_(HELLO, 5)
    assert (hello[3], hello[4], hello[5], hello[6]) == (
        *(board.name, "motion"),
        *(reference.plan_crc, 0),
    )
    inputs = reference.inputs[9]
    assert hello[8:10] == [len(inputs), len(reference.outputs[9][0])]
    for seq, start in enumerate(range(0, len(inputs), 100), 6):  # pieces of any size
        client.send(INPUT, seq, 0, start, inputs[start : start + 100])
        assert client.await_(ACK, seq) == [ACK, seq, 0]
    client.send(RUN, 20, 9, zlib.crc32(inputs))
    result = client.await_(RESULT, 20)
    assert result[2:5] == [0, 9, reference.best[9]]
    assert result[8] == reference.outputs[9][0]
    client.send(READ, 21, 0, 1, 2)
    assert client.await_(OUTPUT, 21) == [OUTPUT, 21, 0, 0, 1, reference.outputs[9][0][1:3]]
    assert client.text[-1].startswith("window 9: ")
    counters = [record for record in client.heard if record[0] == COUNTERS]
    assert counters[-1][2:] == [0, 0]
    client.port.close()


def test_a_client_that_leaves_in_the_middle_of_a_line_harms_nobody(
    port: str, reference: Reference
) -> None:
    client = PlainClient(port)
    client.port.write(b"\x05\x12ggEBdio")
    client.port.flush()
    client.port.close()
    client = PlainClient(port)
    client.send(PING, 8)  # its marker begins a new line, wherever it stands
    assert client.await_(HELLO, 8)[0] == HELLO
    client.port.close()


def test_two_emulators_at_once_do_not_mix(
    device: Device, made: Firmware, reference: Reference
) -> None:
    with emulate.start(device.board, made.elf) as second:
        assert second.pid != device.emulator.pid
        other = DeviceClient(second.transport, timeout=20)
        for window in range(3):
            mine = device.client.infer(window, [reference.inputs[window]])
            theirs = other.infer(100 + window, [reference.inputs[5 + window]])
            assert mine.outputs == reference.outputs[window]
            assert theirs.outputs == reference.outputs[5 + window]
        other.hello()
        assert other.counters.device.dropped == 0
    assert device.client.infer(7, [reference.inputs[7]]).outputs == reference.outputs[7]


def test_a_board_that_is_started_again_begins_anew(
    board: Board, made: Firmware, reference: Reference
) -> None:
    ticks = []
    for _ in range(2):
        with emulate.start(board, made.elf) as emulator:
            client = DeviceClient(emulator.transport, timeout=20, first_seq=0)
            answer = client.request(records.Run(3, 0, zlib.crc32(reference.inputs[0])), "result")
            assert answer.status == STATUS["stale_input"], "nothing is left of the run before"
            inference = client.infer(0, [reference.inputs[0]])
            assert inference.outputs == reference.outputs[0]
            ticks.append(inference.ticks)
        assert not alive(emulator.pid)
    if emulator.instructions(1, board.timer.hz) is not None:
        assert abs(ticks[0] - ticks[1]) <= 1


@pytest.mark.parametrize("window", [2**31, LAST])
def test_a_window_may_have_any_number_of_32_bits(
    device: Device, reference: Reference, window: int
) -> None:
    client = device.client
    assert client.infer(window, [reference.inputs[2]]).outputs == reference.outputs[2]
    client.hello()  # comes after the text
    assert device.said[-1].startswith(f"window {window}: ")


def test_sequence_numbers_go_on_past_the_last_of_32_bits(
    device: Device, reference: Reference
) -> None:
    client = DeviceClient(device.emulator.transport, timeout=20, first_seq=LAST - 2)
    for window in range(3):
        assert client.infer(window, [reference.inputs[window]]).outputs == reference.outputs[window]
    assert client.counters.resent == 0


@pytest.mark.parametrize("length", [513, 5000])
def test_text_of_any_length_is_passed_over_and_not_counted_as_damage(
    device: Device, reference: Reference, length: int
) -> None:
    client = device.client
    client.hello()  # while it starts it takes 512 bytes, and what follows is lost
    device.emulator.transport.write(b"x" * length + b"\n")
    assert client.infer(0, [reference.inputs[0]]).outputs == reference.outputs[0]
    client.hello()
    found = client.counters.device
    assert found.dropped == 0 or found.overrun, "an emulator may be faster than any line"


def test_odd_line_ends_between_requests_are_passed_over(
    device: Device, reference: Reference
) -> None:
    client = device.client
    for seq, ending in enumerate([b"\r\n", b"\n\n\n", b"\n\x00\n", b"\n\xff\xfe\n"], 70):
        device.emulator.transport.write(ending)
        assert client.request(records.Ping(seq), "hello").seq == seq
        line = framing.encode_frame(records.encode(records.Ping(seq)))
        device.emulator.transport.write(line[:-1] + ending)
    assert client.infer(1, [reference.inputs[1]]).outputs == reference.outputs[1]
    assert client.counters.resent == 0


def test_a_frame_that_comes_byte_by_byte_is_one_frame(device: Device) -> None:
    transport, client = device.emulator.transport, device.client
    client.hello()
    line = framing.encode_frame(records.encode(records.Ping(LAST)))
    for byte in line[:-1]:
        transport.write(bytes([byte]))
    transport.write(line[-1:] + framing.encode_frame(records.encode(records.Ping(12))))
    answers: list[int] = []
    decoder = framing.Decoder()

    def both_came() -> bool:
        for event in decoder.feed(transport.read(1)):
            if isinstance(event, framing.Frame):
                record = records.decode(event.payload)
                if isinstance(record, records.Hello):
                    answers.append(record.seq)
        return len(answers) == 2

    assert eventually(both_came)
    assert answers == [LAST, 12]


def test_a_result_may_be_asked_for_again_after_the_next_input_was_begun(
    device: Device, reference: Reference
) -> None:
    client, inputs = device.client, reference.inputs[6]
    client.infer(5, [reference.inputs[5]])
    client.request(records.Input(1, 0, 0, inputs[:256]), "ack")
    stale = client.request(records.Run(2, 6, zlib.crc32(inputs)), "result")
    assert stale.status == STATUS["stale_input"], "only the first part is there"
    client.request(records.Input(3, 0, 256, inputs[256:]), "ack")
    answer = client.request(records.Run(4, 6, zlib.crc32(inputs)), "result")
    assert (answer.status, answer.best) == (STATUS["ok"], reference.best[6])
