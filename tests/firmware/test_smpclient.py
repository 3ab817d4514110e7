# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The public client smpclient, unmodified, at a serial port of the firmware in slots."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from smpclient import SMPClient
from smpclient.exceptions import SMPUploadError
from smpclient.generics import success
from smpclient.requests.image_management import ImageErase, ImageStatesRead, ImageStatesWrite
from smpclient.requests.os_management import EchoWrite, ResetWrite
from smpclient.transport.serial import Auto, BufferParams, SMPSerialTransport

from tests.firmware.slots import SlotsDevice, crc_of, model
from tests.firmware.terminal import Terminal
from tests.mgmt.device import copy_plan, image_hash
from tests.update.device import M0, A, B, Geometry

FILE_BYTES = 64 * 1024
BASE64 = 3 / 4
"""Bytes that a byte of a line carries at most."""

Talk = Callable[[SMPClient], Awaitable[Any]]


@pytest.fixture
def device(slots: tuple[Any, Path], tmp_path: Path) -> SlotsDevice:
    """A device with slots for more than 64 KiB, whose firmware 1.2.0 in slot A is confirmed."""
    device = SlotsDevice(slots, Geometry(erase=4096, firmware=20 * 4096, model=4096), tmp_path)
    device.load(A, device.firmware(A, b"first", version=(1, 2, 0, 0)))
    device.start()
    return device


def firmware(device: SlotsDevice, size: int = FILE_BYTES, **fields: Any) -> bytes:
    """Return firmware 1.3.0 for slot B, a file of `size` bytes."""
    empty = len(device.firmware(B, b"", version=(1, 3, 0, 0), **fields))
    payload = random.Random(1).randbytes(size - empty)
    return device.firmware(B, payload, version=(1, 3, 0, 0), **fields)


def talk(terminal: Terminal, what: Talk, transport: SMPSerialTransport | None = None) -> Any:
    """Connect a client, let it talk, disconnect."""

    async def run() -> Any:
        async with SMPClient(transport or SMPSerialTransport(), terminal.path) as client:
            return await what(client)

    return asyncio.run(run())


async def send(client: SMPClient, file: bytes, image: int = 0) -> list[int]:
    """Upload a file; return the offsets that the device asked for."""
    return [offset async for offset in client.upload(file, image)]


def test_upload_test_reset_and_confirm(device: SlotsDevice) -> None:
    file = firmware(device)

    async def update(client: SMPClient) -> None:
        assert (await client.request(EchoWrite(d="hello"))).r == "hello"  # type: ignore[union-attr]
        await send(client, file)
        armed = await client.request(ImageStatesWrite(hash=image_hash(file)))
        assert success(armed)
        assert [image.pending for image in armed.images] == [False, True]
        assert success(await client.request(ResetWrite()))

    async def confirm(client: SMPClient) -> Any:
        return await client.request(ImageStatesWrite(confirm=True))

    with Terminal(device) as terminal:
        talk(terminal, update)
        images = talk(terminal, confirm).images
    assert [(i.version, i.active, i.confirmed) for i in images] == [
        ("1.2.0", False, False),
        ("1.3.0", True, True),
    ]


@pytest.mark.parametrize("line_buffers", [2, 8, None])
def test_an_upload_takes_one_round_trip_a_message(
    device: SlotsDevice, line_buffers: int | None
) -> None:
    """With 8 line buffers messages have 685 bytes; without a number the device's buffer counts."""
    file = firmware(device)
    strategy = BufferParams(line_buffers=line_buffers) if line_buffers else Auto()
    transport = SMPSerialTransport(strategy)

    async def upload(client: SMPClient) -> list[int]:
        terminal.clear()
        return await send(client, file)

    with Terminal(device) as terminal:
        offsets = talk(terminal, upload, transport)
    share = len(file) / (BASE64 * (terminal.received + terminal.sent))
    assert share >= {2: 0.55, 8: 0.85, None: 0.9}[line_buffers]
    steps = [b - a for a, b in pairwise(offsets)]
    assert terminal.requests == len(offsets) <= 2 + len(file) // min(steps[:-1])
    assert device.slot(B).startswith(file)


def test_a_slot_that_has_to_be_erased_first_is_asked_for_its_beginning(
    device: SlotsDevice,
) -> None:
    device.load(B, bytes(20 * 4096))
    file = firmware(device)
    with Terminal(device) as terminal:
        offsets = talk(terminal, lambda client: send(client, file))
    assert offsets[:4] == [0, 0, 0, 0]  # 20 blocks, 4 a step
    assert offsets[4] > 0
    assert offsets[-1] == len(file)


def test_an_upload_goes_on_after_the_client_and_the_power_were_lost(device: SlotsDevice) -> None:
    file = firmware(device)

    async def half(client: SMPClient) -> int:
        offset = 0
        async for offset in client.upload(file):
            if offset > len(file) // 2:
                break
        return offset

    with Terminal(device) as terminal:
        stopped = talk(terminal, half)
    device.start()
    with Terminal(device) as terminal:
        offsets = talk(terminal, lambda client: send(client, file))
    assert stopped - 4096 - 1024 < offsets[0] <= stopped
    assert offsets[-1] == len(file)


def test_a_refused_upload_is_an_error(device: SlotsDevice) -> None:
    wrong = firmware(device, board=b"another")
    with Terminal(device) as terminal, pytest.raises(SMPUploadError) as caught:
        talk(terminal, lambda client: send(client, wrong))
    (answer,) = caught.value.args
    assert answer.err.group == 1
    assert device.slot(A).startswith(device.firmware(A, b"first", version=(1, 2, 0, 0)))


def test_the_running_slot_cannot_be_erased(device: SlotsDevice) -> None:
    async def erase(client: SMPClient) -> list[Any]:
        return [await client.request(ImageErase(slot=slot)) for slot in (A, B)]

    with Terminal(device) as terminal:
        running, free = talk(terminal, erase)
    assert not success(running)
    assert success(free)


def test_a_model_is_uploaded_and_runs_without_a_reset(device: SlotsDevice) -> None:
    plan = copy_plan(40)
    file = model(plan)

    async def change(client: SMPClient) -> Any:
        await send(client, file, M0)
        assert success(await client.request(ImageStatesWrite(hash=image_hash(file))))
        return await client.request(ImageStatesRead())

    with Terminal(device) as terminal:
        images = talk(terminal, change).images
    assert [(i.image, i.active, i.confirmed) for i in images] == [(0, True, True), (M0, True, True)]
    assert device.plan_crc() == crc_of(plan)
    assert device.c.shim_resets == 0
