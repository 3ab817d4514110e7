# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Ports: bytes go through unchanged, silence takes its time and no longer, a lost end is said."""

import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from torpor.errors import DeviceError
from torpor.link import DeviceClient, Transport, open_transport, transport
from torpor.link.fake import FakeDevice

ALL_BYTES = bytes(range(256))


class FarEnd(Protocol):
    def send(self, data: bytes) -> None: ...
    def receive(self) -> bytes: ...
    def close(self) -> None: ...


class SocketEnd:
    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> bytes:
        return self._socket.recv(4096)

    def close(self) -> None:
        self._socket.close()


class PtyEnd:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, data: bytes) -> None:
        os.write(self._descriptor, data)

    def receive(self) -> bytes:
        return os.read(self._descriptor, 4096)

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass
class Pair:
    near: Transport
    far: FarEnd
    waking: bytes = b"\n"  # what a device may need to wake


def unix_pair(folder: Path) -> Pair:
    path = str(folder / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        near = open_transport(f"unix:{path}")
        return Pair(near, SocketEnd(listener.accept()[0]), b"")


def tcp_pair(_folder: Path) -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = open_transport(f"socket://127.0.0.1:{listener.getsockname()[1]}")
        return Pair(near, SocketEnd(listener.accept()[0]))


def pty_pair(_folder: Path) -> Pair:
    master, slave = pty.openpty()
    tty.setraw(master)
    near = open_transport(os.ttyname(slave))
    os.close(slave)
    return Pair(near, PtyEnd(master))


@pytest.fixture(params=[unix_pair, tcp_pair, pty_pair], ids=["unix", "tcp", "pty"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    ends = request.param(tmp_path)
    yield ends
    ends.near.close()
    ends.near.close()  # twice is allowed


def read_exactly(transport: Transport, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := transport.read(5)):
        data += more
    return data


def receive(pair: Pair, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += pair.far.receive()
    return data


def test_all_byte_values_pass_in_both_directions(pair: Pair) -> None:
    pair.near.write(ALL_BYTES)
    wanted = pair.waking + ALL_BYTES
    got = receive(pair, len(wanted))
    pair.far.send(ALL_BYTES)
    assert got == wanted
    assert read_exactly(pair.near, 256) == ALL_BYTES
    pair.far.close()


def test_an_empty_line_wakes_a_device_that_may_sleep_deeply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = pty_pair(tmp_path)
    pair.near.write(b"one\n")
    pair.near.write(b"two\n")
    assert receive(pair, 9) == b"\none\ntwo\n"
    monkeypatch.setattr(transport, "AWAKE_S", 0.0)
    pair.near.write(b"three\n")
    pair.near.write(b"four\n")
    assert receive(pair, 12) == b"three\n\nfour\n"
    pair.near.close()
    pair.far.close()


def test_a_port_that_another_command_uses_is_said_to_be() -> None:
    master, slave = pty.openpty()
    first = open_transport(os.ttyname(slave))
    with pytest.raises(DeviceError, match="is used by another command"):
        open_transport(os.ttyname(slave))
    first.close()
    open_transport(os.ttyname(slave)).close()
    os.close(slave)
    os.close(master)


def test_silence_is_an_empty_answer_after_the_timeout(pair: Pair) -> None:
    start = time.monotonic()
    assert pair.near.read(0.05) == b""
    assert 0.04 < time.monotonic() - start < 2
    pair.far.close()


def test_a_closed_far_end_is_an_error(pair: Pair) -> None:
    pair.far.close()
    with pytest.raises(DeviceError):
        pair.near.read(5)


def test_a_port_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="nowhere"):
        open_transport(str(tmp_path / "nowhere"))


def test_the_client_works_over_a_real_port(pair: Pair) -> None:
    fake = FakeDevice(lambda inputs: [inputs[0][::-1]], [200], [200])

    def serve() -> None:
        try:
            while data := pair.far.receive():
                pair.far.send(fake.feed(data))
        except OSError:
            return

    server = threading.Thread(target=serve)
    server.start()
    payload = bytes(range(200))
    assert DeviceClient(pair.near, timeout=5).infer(1, [payload]).outputs == [payload[::-1]]
    pair.near.close()
    server.join(5)
    assert not server.is_alive()
    pair.far.close()
