# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A device in Python that has kept some inputs, at a socket."""

import random
import socket
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.small_models import small_cnn
from torpor.compile import compile_model
from torpor.link.fake import FakeDevice
from torpor.stats.store import Entry

LABELS = ("standing", "running", "walking", "rowing", "resting")
PLAN = compile_model(small_cnn(), name="small", labels=LABELS).plan
CRC = zlib.crc32(PLAN)
INPUT_BYTES = 9 * 7 * 3
"""Of small_cnn's input."""


def sample(number: int, kind: int = 0, plan: int = CRC, size: int = -1) -> Entry:
    """Return a sample whose every field depends on its number."""
    draw = random.Random(number)
    size = size if size >= 0 else 6 if kind else INPUT_BYTES
    return Entry(
        draw.randbytes(size), number, 60 * number, plan, 1 + number % 2, number % 5,
        draw.randrange(256), kind,
    )  # fmt: skip


def device(samples: list[Entry]) -> FakeDevice:
    return FakeDevice(lambda inputs: inputs, (4,), (4,), samples=samples)


def serve(fake: FakeDevice, listener: socket.socket) -> None:
    """Answer whoever connects, one after the other, until the socket is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            while data := connection.recv(4096):
                connection.sendall(fake.feed(data))


@pytest.fixture
def port(tmp_path: Path) -> Iterator[tuple[FakeDevice, str]]:
    """Return a device that listens, and its address."""
    fake = device([sample(3), sample(4), sample(9, kind=1)])
    path = tmp_path / "device"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, args=(fake, listener))
        thread.start()
        yield fake, f"unix:{path}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
