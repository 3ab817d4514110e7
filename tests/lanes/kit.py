# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a board is brought in these tests: firmware that works, hangs or crashes, and two models."""

import functools
import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support.wrong_code import ENDLESS, UNDEFINED, machine, with_code
from torpor.board import Board, load_board
from torpor.emulate import firmware
from torpor.emulate.firmware import Firmware, Images
from torpor.golden import Golden
from torpor.image.build import contents_of, model, sign
from torpor.image.keys import development_key
from torpor.image.parse import parse
from torpor.image.version import Version
from torpor.model import load_model, to_codes
from torpor.paths import FIRMWARE, TORPOR

MODEL = "motion"
WINDOWS = 16
VERSIONS = {"old": "1.0.0", "new": "2.0.0", "hung": "3.0.0", "crashing": "4.0.0", "wake": "5.0.0"}


@dataclass(frozen=True)
class Signed:
    """An image: all its bytes, and the hash that it is asked for by."""

    data: bytes
    hash: bytes


@dataclass(frozen=True)
class Held:
    """Held-out windows and what TensorFlow Lite Micro makes of them.

    Attributes:
        inputs: the bytes of each window.
        outputs: the bytes of output 0, for each.
    """

    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]


@functools.cache
def images(board: str, app: firmware.App = firmware.SERVE) -> Images:
    """Build once in a session."""
    return firmware.build_images(load_board(board), MODEL, app=app, quiet=True)


def firmware_elf(board: str, kind: str, slot: int, engine: str = TORPOR) -> Path:
    """Return the ELF that an image is made of."""
    app = firmware.App("wake" if kind == "wake" else "serve", engine=engine)
    return images(board, app).firmware(slot).with_suffix(".elf")


@functools.cache
def firmware_image(board: str, kind: str, slot: int, engine: str = TORPOR) -> Signed:
    """Return a firmware for a slot: a key of VERSIONS."""
    elf = firmware_elf(board, kind, slot, engine)
    contents = contents_of(parse(elf.with_suffix(".bin").read_bytes()))
    codes = {"hung": ENDLESS, "crashing": UNDEFINED}
    if kind in codes:
        contents = with_code(elf, codes[kind][machine(load_board(board))])(contents)
    return _signed(sign(contents, development_key(), Version.parse(VERSIONS[kind])))


@functools.cache
def plan(bits: int, board: str = "native", engine: str = TORPOR) -> Firmware:
    """Return the build that a model's plan is taken from.

    Ours are the same for every board. Those for TensorFlow Lite Micro have the arena of one board.
    """
    of = "native" if engine == TORPOR else board
    return firmware.build(of, MODEL, bits, app=firmware.App(engine=engine), quiet=True)


@functools.cache
def model_image(bits: int, board: str = "native", engine: str = TORPOR) -> Signed:
    """Return a model as an image: version 8.0.0 or 4.0.0."""
    contents = model(plan(bits, board, engine).plan, None)
    return _signed(sign(contents, development_key(), Version.parse(f"{bits}.0.0")))


@functools.cache
def held_out(bits: int) -> Held:
    """Return windows of the model with so many bits."""
    golden = Golden(plan(bits).model)
    info = golden.inputs[0]
    xs, _ = load_model(MODEL).windows("test")
    codes = [to_codes(x, info).reshape(info.shape) for x in xs[:WINDOWS]]
    outputs = [np.asarray(golden.invoke([c])[0]).tobytes() for c in codes]
    return Held(tuple(c.tobytes() for c in codes), tuple(outputs))


def source_hash(board: Board, engine: str = TORPOR) -> str:
    """Return what a run depends on: the images that it is about."""
    works = itertools.product(VERSIONS, range(2))
    parts = [firmware_image(board.name, kind, slot, engine).data for kind, slot in works]
    return hashlib.sha256(b"".join([*parts, models_hash().encode()])).hexdigest()


@functools.cache
def models_hash() -> str:
    """Return what a run depends on, on every lane and with every engine.

    The models, and what the device does.
    """
    parts = [model_image(bits).data for bits in (8, 4)]
    sources = sorted(p for p in FIRMWARE.rglob("*") if p.suffix in (".c", ".cc", ".h", ".toml"))
    parts += [path.read_bytes() for path in sources]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _signed(data: bytes) -> Signed:
    return Signed(data, parse(data).hash)
