# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What fuzzing begins with: a few inputs of each target that get deep.

The scripts of journal and upload are those of target_journal.c and target_upload.c.
"""

from collections.abc import Callable

from tests.support import images
from tests.support.images import ImageParts, tlv
from tests.support.plans import SPECIMENS
from tests.support.small_models import small_cnn
from tests.support.tflm_plans import Container, with_memory_plan, with_variables

FIX = 0x80
"""Bit of the first byte of an image: hash and signature are made right."""


def image_seeds() -> dict[str, bytes]:
    """Return images for slots, with and without a right signature."""
    capability = images.capability([2, 6, 13])
    found = {
        "firmware": (0, ImageParts(capability=capability, counter=3)),
        "other-slot": (1, ImageParts(address=0x2000, more_protected=(tlv(0xA5, b"?"),))),
        "model": (2, ImageParts(model=True, board=None, address=None, header_bytes=32)),
        "plain": (3, ImageParts(model=True, board=None, address=None, counter=None)),
        "more": (0, ImageParts(header_bytes=64, more_unprotected=(tlv(0x70, bytes(9)),))),
        "other-key": (0, ImageParts(key=images.key(1))),
    }
    seeds = {}
    for name, (slot, parts) in found.items():
        image = parts.build()
        seeds[name] = bytes([slot, 0]) + image
        seeds[f"{name}-fixed"] = bytes([slot | FIX, 0]) + image
    return seeds


def journal_seeds() -> dict[str, bytes]:
    """Return journals with a device's life, and steps after it."""
    slots = bytes([0, 1, 8, 9, 99])
    header = bytes([1, 1, 0, 0, 0, 0])
    state = bytes([2, 0, 0, 0, 1, 0])
    armed = bytes([0, 2, 1, 0, 0, 0, 1])
    attempts = b"".join(bytes([0, 3, 1, 16, n, 0, 1]) for n in (1, 2, 3))
    steps = bytes([0, 5, 0, 0, 0, 1, 0, 2, 0, 5, 1, 1, 0, 2, 1, 4, 0, 1, 2])
    return {
        "empty": bytes([0]) + bytes([99] * 5) + bytes([0]),
        "first": bytes([0]) + slots + bytes([0]) + steps,
        "confirmed": bytes([1]) + slots + bytes([2]) + header + state + steps,
        "armed": bytes([2]) + slots + bytes([3]) + header + state + armed + steps,
        "tried": bytes([3]) + slots + bytes([6]) + header + state + armed + attempts + steps,
        "two blocks": bytes([0]) + slots + bytes([5]) + header + state + bytes([6]) + header + state
        + steps,
        "cut": bytes([4]) + slots + bytes([0]) + bytes([0, 6, 1, 1, 3]) + steps * 2,
        "full": bytes([0]) + slots + bytes([14]) + header + state + armed * 12 + steps * 3,
    }  # fmt: skip


def upload_seeds() -> dict[str, bytes]:
    """Return a client's ways to send a file."""

    def begin(file: int, slot: int, wrong: int = 0) -> bytes:
        return bytes([0, slot, file, wrong])

    write, half = bytes([1, 1, 0xFF]), bytes([1, 0, 0x80])
    finish, restart = bytes([4]), bytes([6, 0, 5, 0])
    arm_b, confirm = bytes([6, 0, 0, 1]), bytes([6, 0, 2])
    send_b = begin(3, 1) * 6 + write * 2 + finish
    send_model = begin(9, 3) * 4 + write + finish
    switch = bytes([6, 1, 0, 3, 6, 1, 4, 0, 6, 1, 2])
    return {
        "nothing": bytes([0]),
        "firmware": bytes([0]) + send_b + arm_b + restart + confirm,
        "model": bytes([1]) + send_model + switch,
        "resumed": bytes([2]) + begin(6, 1) * 6 + half * 3 + restart + begin(6, 1) + write + finish,
        "wrong byte": bytes([3]) + begin(3, 1) * 6 + bytes([1, 5, 0xFF, 7]) + write + finish,
        "erased": bytes([4]) + send_b + bytes([5, 0x81, 5, 0, 5, 0]) + send_b,
        "cut": bytes([0]) + begin(6, 1) * 6 + bytes([6, 0, 6, 30, 1, 1]) + write * 2,
        "failing": bytes([0]) + begin(6, 1) * 6 + bytes([6, 0, 7, 30]) + write * 2 + finish,
        "more behind": bytes([129]) + begin(10, 3) * 4 + half * 4 + switch + write,
        "protected": bytes([0]) + begin(3, 0) + begin(9, 2) + bytes([5, 0x80, 5, 0x82]),
    }


def smp_seeds() -> dict[str, bytes]:
    """Return requests of a client, and bytes that are none."""

    def first(file: int, image: int, length: int = 200) -> bytes:
        return bytes([6, 0, 1, file, image, 0, length])

    more, restart, step = bytes([8, 0, 2, 0]), bytes([2, 3, 0, 7]), bytes([13])
    send_b = first(3, 1) * 4 + more * 2
    send_model = first(9, 3) * 3 + more
    test_b, confirm = bytes([4, 0, 3, 0, 3]), bytes([4, 0, 4, 3, 0])
    wire = b"\x06\x09AAoAAAAAAAYAAgAGoA==\n"
    return {
        "nothing": bytes([0]),
        "plain": bytes([1]) + b"".join(bytes([2, n, 0, 9]) for n in range(6)),
        "raw": bytes([2, 0, len(wire)]) + wire,
        "message": bytes([3, 1, 9, 8, 0, 0, 0, 0, 0, 1, 6, 0xA0]),
        "long": bytes([0, 3, 0, 1, 255]),
        "echo": bytes([0, 3, 0, 1, 40, 3, 4, 1, 250, 3, 8, 1, 3]),
        "firmware": bytes([0]) + send_b + test_b + restart + confirm + bytes([2, 0, 0, 9]),
        "model": bytes([1]) + send_model + bytes([4, 0, 3, 0, 9]) + bytes([2, 1, 0, 9]),
        "resumed": bytes([2]) + first(6, 1) * 5 + bytes([8, 0, 1, 2, 90]) + restart + first(6, 1),
        "erased": bytes([4, 11, 1, 0, 3, 1, 11, 1, 0, 4, 0, 11, 0, 0, 5, 0]),
        "ended": bytes([0]) + send_b + test_b + restart + bytes([12, 0, 7, 0, 2]),
        "damaged": bytes([0, 2, 16, 0, 9, 5, 0, 2, 1, 1, 9, 9, 0, 3, 32, 0, 4, 1]),
        "cut": bytes([3]) + first(7, 1) * 5 + step + bytes([0, 6, 20, 1, 1]) + more * 3,
    }


def plan_seeds() -> dict[str, bytes]:
    """Return a plan of each operator."""
    return {name: b"\0" + make().build() for name, make in SPECIMENS.items()}


def flatbuffer_seeds() -> dict[str, bytes]:
    """Return plans for TensorFlow Lite Micro."""
    models = {
        "int8": small_cnn(),
        "int4": small_cnn(weight="int4"),
        "calls": with_variables(),
        "memory plan": with_memory_plan(),
    }
    return {name: b"\0" + Container.of(model).build() for name, model in models.items()}


SEEDS: dict[str, Callable[[], dict[str, bytes]]] = {
    "image": image_seeds,
    "journal": journal_seeds,
    "upload": upload_seeds,
    "plan": plan_seeds,
    "flatbuffer": flatbuffer_seeds,
    "smp": smp_seeds,
}


def to_text(content: bytes, *comments: str) -> str:
    """Return an input as text: comments, then hexadecimal digits."""
    lines = [f"# {comment}" for comment in comments]
    lines += [content[i : i + 32].hex() for i in range(0, len(content), 32)]
    return "\n".join(lines) + "\n"


def from_text(text: str) -> bytes:
    """Return the input that a text says."""
    return bytes.fromhex("".join(line for line in text.splitlines() if not line.startswith("#")))
