# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Emulated devices as fixtures: every test that takes `device` runs on every board."""

import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pytest

from torpor import emulate
from torpor.board import Board, board_names, load_board
from torpor.emulate import Emulator, Firmware, firmware
from torpor.golden import Golden
from torpor.link import DeviceClient
from torpor.link.faults import Damage, FaultyTransport, random_faults
from torpor.model import load_model, to_codes

MODEL = "motion"
NOT_HERE = {"nrf51_large"}
"""It is the microbit's chip with more memory, for larger models than these tests have."""


def is_emulated(name: str) -> bool:
    """Say whether a board is emulated here: tests/lanes and tests/renode have those in Renode."""
    emulator = load_board(name).emulator
    return emulator is not None and emulator.kind != "renode"


BOARDS = [name for name in board_names() if name not in NOT_HERE and is_emulated(name)]


def require(board: Board) -> None:
    """Skip where the emulator is not installed; a board that cannot be emulated is no failure."""
    if board.emulator is None:
        pytest.skip(f"board {board.name} has no emulator")
    program = board.emulator.program
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed ({board.emulator.how_to_get})")


@cache
def built(board: str, bits: int) -> Firmware:
    """Build once in a session."""
    return firmware.build(board, MODEL, bits)


@dataclass
class Device:
    """A running board with the motion model in it."""

    board: Board
    emulator: Emulator
    made: Firmware
    said: list[str] = field(default_factory=list)  # its lines of text

    @cached_property
    def client(self) -> DeviceClient:
        """Over a good wire; so patient that nothing is ever sent twice."""
        return DeviceClient(self.emulator.transport, timeout=20, on_text=self.said.append)

    def bad_client(self, seed: int, mean_gap: float) -> DeviceClient:
        """Another client, behind a wire that damages one byte in `mean_gap`, both ways."""
        wire = FaultyTransport(
            self.emulator.transport,
            Damage(random_faults(seed, mean_gap)),
            Damage(random_faults(~seed, mean_gap)),
        )
        return DeviceClient(wire, timeout=0.15, tries=60, on_text=self.said.append)


@dataclass
class Reference:
    """What TensorFlow Lite Micro makes of the held-out windows."""

    made: Firmware

    def __post_init__(self) -> None:
        golden = Golden(self.made.model)
        info = golden.inputs[0]
        xs, self.truth = load_model(MODEL).windows("test")
        codes = [to_codes(x, info).reshape(info.shape) for x in xs]
        self.inputs = [c.tobytes() for c in codes]
        self.outputs = [[o.tobytes() for o in golden.invoke([c])] for c in codes]
        self.best = [int(np.argmax(np.frombuffer(o[0], np.int8))) for o in self.outputs]
        self.plan_crc = zlib.crc32(self.made.plan)


@cache
def _reference(bits: int, made: Firmware) -> Reference:
    return Reference(made)


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest) -> Board:
    facts = load_board(request.param)
    require(facts)
    return facts


@pytest.fixture
def bits() -> int:
    """Of the weights; a test may parametrize it."""
    return 8


@pytest.fixture
def made(board: Board, bits: int) -> Firmware:
    return built(board.name, bits)


@pytest.fixture
def reference(made: Firmware, bits: int) -> Reference:
    return _reference(bits, made)


@pytest.fixture
def device(board: Board, made: Firmware) -> Iterator[Device]:
    with emulate.start(board, made.elf) as emulator:
        yield Device(board, emulator, made)


@pytest.fixture
def qemu_program() -> str:
    facts = load_board("mps2_an386")
    require(facts)
    assert facts.emulator
    return facts.emulator.program


def with_changed_plan(made: Firmware, folder: Path, offset: int, value: int) -> Path:
    """Return a copy of the firmware in which one byte of the embedded plan is different."""
    image = bytearray(made.elf.read_bytes())
    plan = made.plan
    place = image.find(plan)
    assert place >= 0, "the plan is not in the firmware as it is"
    assert image.find(plan, place + 1) < 0, "the plan is there twice"
    image[place + offset] = value
    path = folder / "firmware.elf"
    path.write_bytes(image)
    path.chmod(0o755)
    return path
