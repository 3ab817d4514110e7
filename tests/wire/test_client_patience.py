# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""How long the client waits, how often it asks, what it counts, and what the ports below it say."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest

from tests.wire.test_client import client, device, inputs_for
from torpor.errors import DeviceError
from torpor.link import DeviceClient, SerialTransport, SocketTransport, open_transport
from torpor.link.fake import FakeTransport
from torpor.link.transport import connect_unix
from torpor.wire import framing, records
from torpor.wire.schema import parse_schema


class Clock:
    """A device behind a wire on which time passes only while the client waits.

    Args:
        answers: called with the number of each write, gives what arrives then.
    """

    def __init__(self, answers: Callable[[int], bytes] = lambda _: b"") -> None:
        self.answers, self.arrived = answers, b""
        self.lines: list[bytes] = []
        self.waits: list[float] = []

    def write(self, data: bytes) -> None:
        self.lines.append(data)
        self.arrived += self.answers(len(self.lines))

    def read(self, timeout: float) -> bytes:
        data, self.arrived = self.arrived, b""
        if not data:
            self.waits.append(timeout)
        return data

    def close(self) -> None:
        self.arrived = b""


def hello(seq: int) -> bytes:
    answer = records.Hello(seq, records.SCHEMA_HASH, "b", "m", 0, 0, 0, 1, 1, 1000, "torpor", "")
    return framing.encode_frame(records.encode(answer))


@pytest.mark.parametrize("tries", [1, 2, 8])
def test_a_request_is_sent_as_often_as_asked_and_unchanged(tries: int) -> None:
    wire = Clock()
    link = DeviceClient(wire, tries=tries, timeout=2)
    with pytest.raises(DeviceError, match=f"no answer to ping in {tries} tries, {2 * tries} s"):
        link.hello()
    assert len(wire.lines) == tries
    assert len(set(wire.lines)) == 1
    assert (link.counters.sent, link.counters.resent) == (tries, tries - 1)
    assert all(1.5 < wait <= 2 for wait in wire.waits)


def test_a_late_answer_to_an_earlier_try_is_taken() -> None:
    wire = Clock(lambda n: hello(6) if n == 3 else b"")
    link = DeviceClient(wire, first_seq=5)
    assert link.hello().seq == 6
    assert len(wire.lines) == 3
    assert link.counters.resent == 2


def test_answers_to_other_requests_are_passed_over() -> None:
    wire = Clock(lambda _: hello(5) + hello(7) + hello(6))
    assert DeviceClient(wire, first_seq=5).hello().seq == 6


def test_an_answer_of_another_kind_with_the_same_number_is_no_answer() -> None:
    ack = framing.encode_frame(records.encode(records.Ack(6, 0)))
    wire = Clock(lambda n: ack + (hello(6) if n == 2 else b""))
    assert DeviceClient(wire, first_seq=5).hello().board == "b"
    assert len(wire.lines) == 2


def test_a_run_is_repeated_quickly_at_first_and_then_ever_more_rarely() -> None:
    wire = Clock()
    link = DeviceClient(wire, tries=2, timeout=1, run_timeout=20)
    with pytest.raises(DeviceError, match="no answer to run"):
        link.request(records.Run(1, 0, 0), "result")
    waits = [round(wait) for wait in wire.waits]
    assert waits[:4] == [1, 1, 1, 1]
    assert waits[4:] == sorted(waits[4:])
    assert max(waits) <= 20
    assert 20 <= sum(waits) < 20 + max(waits)


def test_a_number_that_came_in_halves_is_put_together() -> None:
    halves = [hello(6)[:9], hello(6)[9:]]
    wire = Clock(lambda n: halves[n - 1] if n < 3 else b"")
    assert DeviceClient(wire, first_seq=5).hello().seq == 6


def test_what_came_in_is_counted_by_kind() -> None:
    strange = framing.encode_frame(cbor2.dumps([99, 1, 2]))
    broken = b"\x05\x12AAAB\n"
    wire = Clock(lambda _: b"text\n" + strange + broken + hello(6))
    link = DeviceClient(wire, first_seq=5)
    link.hello()
    found = link.counters
    assert (found.text, found.unknown, found.dropped, found.frames) == (1, 1, 1, 2)


def test_a_model_that_is_refused_after_the_greeting_is_reported() -> None:
    fake = device()
    link = client(fake)
    link.hello()
    fake.plan_status = 9
    with pytest.raises(DeviceError, match="refused its model"):
        link.infer(0, inputs_for(fake))


def test_the_greeting_is_asked_for_once() -> None:
    fake = device()
    link = client(fake)
    for window in range(3):
        link.infer(window, inputs_for(fake, window))
    hellos = 1
    inputs, runs = 3 * 3, 3  # 600 bytes are three chunks
    assert fake.frames == hellos + inputs + runs


def test_closing_the_client_closes_its_port() -> None:
    ours, theirs = socket.socketpair()
    link = DeviceClient(SocketTransport(ours, "pair"))
    link.close()
    link.close()
    assert theirs.recv(1) == b""
    theirs.close()


@pytest.mark.parametrize("window", [0, 1, 2**32 - 1])
def test_any_window_number_comes_back(window: int) -> None:
    fake = device()
    assert client(fake).infer(window, inputs_for(fake)).status == 0


@pytest.mark.parametrize("sizes", [[], [599], [601], [600, 1]], ids=str)
def test_nothing_is_sent_of_inputs_that_cannot_fit(sizes: list[int]) -> None:
    fake = device()
    with pytest.raises(DeviceError, match=f"takes 600 input bytes, not {sum(sizes)}"):
        client(fake).infer(0, [bytes(n) for n in sizes])
    assert fake.frames == 1  # the greeting


# ---- ports


def test_writing_to_a_socket_whose_other_end_is_gone_names_it() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    port = SocketTransport(ours, "the pair")
    with pytest.raises(DeviceError, match="writing to the pair failed: Broken pipe"):
        port.write(b"x")
    port.close()


def test_reading_from_a_socket_that_was_reset_names_it() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(b"unread")
    theirs.close()  # with bytes unread: a reset
    port = SocketTransport(ours, "the pair")
    with pytest.raises(DeviceError, match="the pair"):
        port.read(1)
    port.close()


def test_nobody_at_a_unix_socket_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"cannot connect to .*absent: No such file"):
        connect_unix(str(tmp_path / "absent"), timeout=0)


def test_a_unix_target_is_opened_by_its_prefix(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        port = open_transport(f"unix:{path}")
        other, _ = server.accept()
        other.sendall(b"hello")
        assert port.read(5) == b"hello"
        port.close()
        other.close()


@pytest.mark.parametrize("target", ["/nowhere/tty", "nonsense://x", ""])
def test_a_port_that_cannot_be_opened_has_a_hint(target: str) -> None:
    with pytest.raises(DeviceError, match="cannot open") as error:
        open_transport(target)
    assert "plugged in" in error.value.hint


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/nowhere/tty", "No such file or directory"),
        ("/dev/null", "no serial port"),
        ("socket://localhost:1", "Connection refused"),
    ],
)
def test_a_port_that_cannot_be_opened_says_why_in_a_few_words(target: str, why: str) -> None:
    with pytest.raises(DeviceError) as error:
        open_transport(target)
    assert error.value.message == f"cannot open {target}: {why}"


def test_a_serial_port_that_is_unplugged_says_so() -> None:
    master, slave = os.openpty()
    port = SerialTransport(os.ttyname(slave))
    os.close(slave)
    os.close(master)
    with pytest.raises(DeviceError, match="unplugged, or another program reads"):
        port.read(1.0)
    port.close()


def test_a_serial_port_that_was_closed_under_us_is_an_error_and_closes_again() -> None:
    master, slave = os.openpty()
    port = SerialTransport(os.ttyname(slave))
    port.close()
    with pytest.raises(DeviceError):
        port.write(b"x")
    port.close()
    os.close(master)
    os.close(slave)


# ---- records.toml

RECORDS = """
[limits]
payload = 64
[record.ping]
id = 1
fields = [["seq", "uint"]]
[record.pong]
id = {id}
fields = [["seq", "{type}"]]
[status]
ok = 0
"""


def test_records_that_share_an_id_are_refused() -> None:
    with pytest.raises(ValueError, match="two records share an id"):
        parse_schema(RECORDS.format(id=1, type="uint"))


def test_a_field_of_an_unknown_type_is_named() -> None:
    with pytest.raises(ValueError, match="field seq has unknown type float"):
        parse_schema(RECORDS.format(id=2, type="float"))


@pytest.mark.parametrize("change", [("id = 2", "id = 3"), ('"seq", "int"', '"seq", "uint"')])
def test_what_changes_the_wire_changes_the_hash(change: tuple[str, str]) -> None:
    text = RECORDS.format(id=2, type="int")
    assert change[0] in text
    assert parse_schema(text).hash != parse_schema(text.replace(*change)).hash


def test_words_about_a_record_do_not_change_the_hash() -> None:
    text = RECORDS.format(id=2, type="int")
    told = text.replace("id = 2", 'id = 2\ndoc = "Answers ping."')
    assert parse_schema(told).hash == parse_schema(text).hash
    assert parse_schema(told).records["pong"].doc == "Answers ping."


def test_the_memory_wire_is_silent_once_it_was_read() -> None:
    wire = FakeTransport(device(), b"noise")
    assert (wire.read(1), wire.read(1)) == (b"noise", b"")
