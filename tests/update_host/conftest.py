# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Devices as fixtures: in memory, and behind ports that programs open."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mgmt.library import open_mgmt
from tests.update_host.ports import Port, SocketEnd, TerminalEnd
from tests.update_host.toy import Toy, toy
from torpor.update import device as device_module
from torpor.update.device import Device


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Return (ffi, library) of the SMP server and all below it."""
    return open_mgmt(tmp_path_factory.mktemp("mgmt"))


@pytest.fixture
def it(opened: tuple[Any, Any]) -> Toy:
    """A device that runs firmware 1.0.0."""
    return toy(opened)


class Wire:
    """A wire in memory to a device; silence costs no time."""

    def __init__(self, feed: Callable[[bytes], bytes]) -> None:
        self._feed = feed
        self._arrived = b""

    def read(self, timeout: float) -> bytes:
        arrived, self._arrived = self._arrived, b""
        return arrived

    def write(self, data: bytes) -> None:
        self._arrived += self._feed(data)

    def close(self) -> None:
        self._arrived = b""


@pytest.fixture
def wired(it: Toy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """The device behind a wire in memory, connected."""
    monkeypatch.setattr(device_module, "open_transport", lambda _port, _baud: Wire(it.feed))
    with Device("wire", timeout=0.05) as device:
        device.connect()
        yield device


@pytest.fixture(params=[SocketEnd, TerminalEnd], ids=["socket", "terminal"])
def port(it: Toy, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Port]:
    """The device behind a port that a program can open."""
    made = Port(tmp_path / "device", it.feed, request.param)
    yield made
    made.close()
