# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Signed images of a given size that a proof installs, and some that a device has to refuse.

Their code is noise: nobody executes it. What a model image holds is a plan that can be run.
"""

import functools
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass

from torpor.board.layout import HEADER_BYTES
from torpor.errors import UsageError
from torpor.image import layout
from torpor.image.build import Contents, sign
from torpor.image.capability import Capability
from torpor.image.keys import development_key
from torpor.image.version import Version
from torpor.paths import TORPOR
from torpor.plan.layout import CONST
from torpor.powercut.geometry import Geometry
from torpor.powercut.plans import NEEDS, SMALLEST, noise, plan

FIRMWARE, MODEL = 0, 1
_SMALLEST_CODE = 16
"""Bytes of payload that a firmware has at least."""

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
        engine: that a firmware has, that a model is made for; of ENGINES.
        less: bytes that a firmware is smaller than the others, so that no unit ends where it does.
    """

    component: int
    slot: int = 0
    version: str = "1.0.0"
    counter: int = 0
    arena: int = 1024
    damage: str = ""
    engine: str = TORPOR
    less: int = 0

    @property
    def smallest(self) -> int:
        """Bytes of payload that it has at least."""
        return SMALLEST[self.engine] if self.component == MODEL else _SMALLEST_CODE


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


def make(spec: ImageSpec, geometry: Geometry, size: int) -> Image:
    """Return an image whose file has `size` bytes, a model's up to 15 less: a plan is made of 16s.

    Raises:
        UsageError: it cannot be so small.
    """
    board = "" if spec.component == MODEL else geometry.board + "x" * (spec.damage == "board")
    address = 0 if spec.component == MODEL else geometry.links[spec.slot]
    around = _around(spec.component, board, address)
    payload = size - around - spec.less
    if payload < spec.smallest:
        raise UsageError(f"no image has only {size} bytes", f"from {around + spec.smallest} on")
    payload -= payload % CONST["PLAN_ALIGN"] if spec.component == MODEL else 0
    return _signed(spec, board, address, payload)


@functools.cache
def _around(component: int, board: str, address: int) -> int:
    """Return how many bytes an image has beside its payload."""
    spec = ImageSpec(component)
    return len(_signed(spec, board, address, spec.smallest).data) - spec.smallest


@functools.cache
def _signed(spec: ImageSpec, board: str, address: int, payload: int) -> Image:
    """Return an image with that many bytes of payload; board and address are a firmware's."""
    seed = int.from_bytes(hashlib.sha256(repr(spec).encode()).digest()[:4], "big")
    if spec.component == MODEL:
        content = plan(spec.arena, payload, seed, spec.engine)
        contents = Contents(content, is_model=True, header_bytes=layout.HEADER_BYTES)
    else:
        records = (
            (layout.TLV_BOARD, board.encode()),
            (layout.TLV_CAPABILITY, _capability(spec)),
        )
        contents = Contents(
            noise(payload, seed), False, HEADER_BYTES, address or None, records
        )  # fmt: skip
    data = sign(contents, development_key(), Version.parse(spec.version), spec.counter)
    data = DAMAGES[spec.damage](data) if spec.damage else data
    at = data.rindex(struct.pack("<HH", layout.TLV_SHA256, 32)) + 4
    return Image(spec, data, data[at : at + 8])


def _capability(spec: ImageSpec) -> bytes:
    version = CONST["PLAN_VERSION"]
    target, number = NEEDS[spec.engine]
    able = Capability(version, version, frozenset({target}), spec.arena, frozenset({number}), 0)
    return able.encode()


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
