# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a board is brought in these tests: firmware that works, hangs or crashes, and two models."""

import functools
import hashlib
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
from torpor.paths import FIRMWARE

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


def firmware_elf(board: str, kind: str, slot: int) -> Path:
    """Return the ELF that an image is made of."""
    app = firmware.WAKE if kind == "wake" else firmware.SERVE
    return images(board, app).firmware(slot).with_suffix(".elf")


@functools.cache
def firmware_image(board: str, kind: str, slot: int) -> Signed:
    """Return a firmware for a slot: a key of VERSIONS."""
    elf = firmware_elf(board, kind, slot)
    contents = contents_of(parse(elf.with_suffix(".bin").read_bytes()))
    codes = {"hung": ENDLESS, "crashing": UNDEFINED}
    if kind in codes:
        contents = with_code(elf, codes[kind][machine(load_board(board))])(contents)
    return _signed(sign(contents, development_key(), Version.parse(VERSIONS[kind])))


@functools.cache
def plan(bits: int) -> Firmware:
    """Return the build that a model's plan is taken from: plans are the same for every board."""
    return firmware.build("native", MODEL, bits, quiet=True)


@functools.cache
def model_image(bits: int) -> Signed:
    """Return a model as an image: version 8.0.0 or 4.0.0."""
    contents = model(plan(bits).plan, None)
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


def source_hash(board: Board) -> str:
    """Return what a run depends on: the images that it is about."""
    parts = [firmware_image(board.name, kind, slot).data for kind in VERSIONS for slot in range(2)]
    return hashlib.sha256(b"".join([*parts, models_hash().encode()])).hexdigest()


@functools.cache
def models_hash() -> str:
    """Return what a run depends on, on every lane: the models, and what the device does."""
    parts = [model_image(bits).data for bits in (8, 4)]
    sources = sorted(p for p in FIRMWARE.rglob("*") if p.suffix in (".c", ".h", ".toml"))
    parts += [path.read_bytes() for path in sources]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _signed(data: bytes) -> Signed:
    return Signed(data, parse(data).hash)
