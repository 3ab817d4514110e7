# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Signed images of a given size that a proof installs, and some that a device has to refuse.

Their code is noise: nobody executes it. What a model image holds is a plan that can be run.
"""

import functools
import hashlib
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torpor.board.layout import HEADER_BYTES
from torpor.errors import UsageError
from torpor.image import layout
from torpor.image.build import Contents, sign
from torpor.image.capability import Capability
from torpor.image.keys import development_key
from torpor.image.version import Version
from torpor.plan.layout import CONST, ffi, sizeof
from torpor.powercut.geometry import Geometry

FIRMWARE, MODEL = 0, 1
_SMALLEST = (16, 256)
"""Bytes of payload that a firmware, and a model, has at least."""

_TENSOR = 16
_COPY = 1 << CONST["PLAN_OP_COPY"]
_GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493  # RFC 8032, 5.1


@dataclass(frozen=True)
class ImageSpec:
    """An image that is wanted.

    Attributes:
        component: FIRMWARE or MODEL.
        slot: that a firmware is linked for.
        version: of it.
        counter: security counter.
        arena: bytes that a model wants, that a firmware has for models.
        damage: key of DAMAGES, what is wrong with it; "" if nothing is.
    """

    component: int
    slot: int = 0
    version: str = "1.0.0"
    counter: int = 0
    arena: int = 1024
    damage: str = ""


@dataclass(frozen=True)
class Image:
    """One that is made: its bytes, and the id in its journal records."""

    spec: ImageSpec
    data: bytes
    id: bytes

    @property
    def sha(self) -> bytes:
        """SHA-256 of the file."""
        return hashlib.sha256(self.data).digest()


def plan(arena: int, size: int, seed: int) -> bytes:
    """Return a plan of `size` bytes that copies its input, with noise as unused data.

    Args:
        arena: bytes that it wants.
        size: a multiple of 16.
        seed: of the noise.
    """
    tensors = [(0, _TENSOR, 0, 1), (_TENSOR, _TENSOR, 1, 2)]
    io = [_pack("plan_io_t", {"tensor": n, "type": CONST["PLAN_TYPE_INT8"], "rank": 1,
                              "dims": [_TENSOR, 1, 1, 1, 1], "scale": 1.0,
                              "name": CONST["PLAN_NO_STRING"]}) for n in range(2)]  # fmt: skip
    op = {"code": CONST["PLAN_OP_COPY"], "words": sizeof("plan_copy_t") // 4}
    ops = _pack("plan_copy_t", {"op": op, "x": 0, "y": 1, "bytes": _TENSOR})
    parts = {
        "tensors": b"".join(struct.pack("<IIHH", *tensor) for tensor in tensors),
        "io": b"".join(io),
        "states": b"",
        "ops": ops,
        "strings": b"\0\0\0\0",
        "extra": b"",
    }
    at = sizeof("plan_header_t")
    offsets = {}
    for name, content in parts.items():
        offsets[name] = at
        at += len(content)
    data = -(-at // CONST["PLAN_ALIGN"]) * CONST["PLAN_ALIGN"]
    if size % CONST["PLAN_ALIGN"] or size < data:
        raise UsageError(f"a plan of {size} bytes", f"a multiple of 16 from {data} on")
    header = _pack("plan_header_t", {
        "magic": CONST["PLAN_MAGIC"], "version": CONST["PLAN_VERSION"], "length": size,
        "kernels": [_COPY, 0, 0, 0], "arena_bytes": arena, "arena_align": 16,
        "n_tensors": 2, "n_ops": 1, "n_inputs": 1, "n_outputs": 1, "ops_bytes": len(ops),
        "strings_bytes": len(parts["strings"]), "name": CONST["PLAN_NO_STRING"],
        "labels": CONST["PLAN_NO_STRING"], "data": data, "data_bytes": size - data, **offsets,
    })  # fmt: skip
    return (header + b"".join(parts.values())).ljust(data, b"\0") + _noise(size - data, seed)


def make(spec: ImageSpec, geometry: Geometry, size: int) -> Image:
    """Return an image whose file has `size` bytes, a model's up to 15 less: a plan is made of 16s.

    Raises:
        UsageError: it cannot be so small.
    """
    board = "" if spec.component == MODEL else geometry.board + "x" * (spec.damage == "board")
    address = 0 if spec.component == MODEL else geometry.links[spec.slot]
    smallest = _SMALLEST[spec.component]
    around = _around(spec.component, board, address)
    payload = size - around
    if payload < smallest:
        raise UsageError(f"no image has only {size} bytes", f"from {around + smallest} on")
    payload -= payload % CONST["PLAN_ALIGN"] if spec.component == MODEL else 0
    return _signed(spec, board, address, payload)


@functools.cache
def _around(component: int, board: str, address: int) -> int:
    """Return how many bytes an image has beside its payload."""
    smallest = _SMALLEST[component]
    return len(_signed(ImageSpec(component), board, address, smallest).data) - smallest


@functools.cache
def _signed(spec: ImageSpec, board: str, address: int, payload: int) -> Image:
    """Return an image with that many bytes of payload; board and address are a firmware's."""
    seed = int.from_bytes(hashlib.sha256(repr(spec).encode()).digest()[:4], "big")
    if spec.component == MODEL:
        content = plan(spec.arena, payload, seed)
        contents = Contents(content, is_model=True, header_bytes=layout.HEADER_BYTES)
    else:
        records = (
            (layout.TLV_BOARD, board.encode()),
            (layout.TLV_CAPABILITY, _capability(spec.arena)),
        )
        contents = Contents(
            _noise(payload, seed), False, HEADER_BYTES, address or None, records
        )  # fmt: skip
    data = sign(contents, development_key(), Version.parse(spec.version), spec.counter)
    data = DAMAGES[spec.damage](data) if spec.damage else data
    at = data.rindex(struct.pack("<HH", layout.TLV_SHA256, 32)) + 4
    return Image(spec, data, data[at : at + 8])


def _capability(arena: int) -> bytes:
    version, copy = CONST["PLAN_VERSION"], CONST["PLAN_OP_COPY"]
    return Capability(version, version, frozenset({0}), arena, frozenset({copy}), 0).encode()


def _malleated(data: bytes) -> bytes:
    """Return the image with S + L instead of S: an equation holds for it that is not the rule."""
    at = data.rindex(struct.pack("<HH", layout.TLV_ED25519, 64)) + 4 + 32
    s = int.from_bytes(data[at : at + 32], "little") + _GROUP_ORDER
    return data[:at] + s.to_bytes(32, "little") + data[at + 32 :]


def _flipped(data: bytes) -> bytes:
    """Return the image with a bit of its payload flipped."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _other_key(data: bytes) -> bytes:
    """Return the image with the name of another key."""
    at = data.rindex(struct.pack("<HH", layout.TLV_KEYHASH, 32)) + 4
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _signed_by_another(data: bytes) -> bytes:
    """Return the image with a signature that nobody can have made."""
    at = data.rindex(struct.pack("<HH", layout.TLV_ED25519, 64)) + 4
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "hash": _flipped,
    "key": _other_key,
    "signature": _signed_by_another,
    "malleable": _malleated,
    "board": bytes,  # it is made for another board
    "link": bytes,  # it is sent to the other slot
}
"""What can be wrong with an image, and how it becomes so."""


def _pack(name: str, values: dict[str, Any]) -> bytes:
    return bytes(ffi.buffer(ffi.new(f"{name} *", values)))


def _noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - it only has to look like code
