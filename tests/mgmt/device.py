# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The device of tests/update, with an SMP server and models."""

import struct
from hashlib import sha256
from typing import Any

import cbor2
from smp.message import Request

from tests.support import images
from tests.support.plans import PlanBuilder, record
from tests.update import device as base
from tests.update.device import A, Geometry
from torpor.plan.layout import OPCODES

MESSAGE = 1024
TOLD = 744
PART = TOLD - 34  # of a file in a message, at least
ARENA = 256
ALIGN = 64
HASH_OFFSET = 4  # of the SHA-256 within its TLV


def copy_plan(size: int = 8, *, arena: int = 0) -> bytes:
    """Return the plan of a model whose output is its input of `size` bytes."""
    plan = PlanBuilder()
    x = plan.tensor(0, size, 0, 1)
    y = plan.tensor(size, size, 1, 2)
    plan.inputs.append(plan.io(x))
    plan.outputs.append(plan.io(y))
    plan.ops.append(record("COPY", x=x, y=y, bytes=size))
    if arena:
        plan.header["arena_bytes"] = arena
    return plan.build()


def image_hash(image: bytes) -> bytes:
    """Return the SHA-256 that an image names itself by."""
    head = struct.pack("<HH", images.SHA256, 32)
    at = image.rindex(head) + HASH_OFFSET
    return image[at : at + 32]


class Device(base.Device):
    """A device that answers.

    Attributes:
        first_factory: the plan that is built into its firmware.
        arena_bytes: that it has for models.
    """

    first_factory = copy_plan(4)
    arena_bytes = ARENA

    def __init__(self, opened: tuple[Any, Any], geometry: Geometry | None = None) -> None:
        super().__init__(opened, geometry)
        room = self.geometry.total + ALIGN
        self._room = self.ffi.new("uint8_t[]", room)  # plans want to be aligned
        start = -int(self.ffi.cast("uintptr_t", self._room)) % ALIGN
        memory = self._room + start
        self.ffi.memmove(memory, self.memory, self.geometry.total)
        self.memory = self.ffi.cast(f"uint8_t(*)[{self.geometry.total}]", memory)[0]
        self.lib.flash_sim.bytes = memory
        self._arena = self.ffi.new("uint8_t[]", self.arena_bytes + 3 * ALIGN)
        self._plan = self.ffi.new("uint8_t[]", 4096)
        start = -int(self.ffi.cast("uintptr_t", self._arena)) % (2 * ALIGN)
        self.arena = self._arena + start + ALIGN  # by chance it has no larger alignment
        self.factory = self.first_factory
        self.lib.faulty_reset()
        self.models = self.ffi.new("models_t *")
        self.models.arena, self.models.arena_bytes = self.arena, self.arena_bytes
        self.model = self.ffi.new("infer_t *")
        self.plan = self.ffi.new("models_plan_t *")
        self.message = self.ffi.new("uint8_t[]", MESSAGE + 8)
        self.restart()

    def restart(self) -> None:
        """Lose all RAM, and read the journal."""
        super().restart()
        if not hasattr(self, "message"):
            return  # called by the constructor of the class below
        start = self._plan + -int(self.ffi.cast("uintptr_t", self._plan)) % ALIGN
        self.ffi.memmove(start, self.factory, len(self.factory))
        self.models.update = self.update
        self.models.factory = {"bytes": start, "length": len(self.factory)}
        self.smp = self.ffi.new("smp_t *")
        self.smp.update = self.update
        self.smp.request_bytes = TOLD
        self.smp.accept = self.ffi.addressof(self.lib, "models_accept")
        self.smp.context = self.models

    # ---- messages

    def handle(self, message: bytes) -> bytes:
        """Hand a message to the server; return its answer."""
        self.ffi.memmove(self.message, message, len(message))
        self.ffi.memmove(self.message + MESSAGE, b"\xa5" * 8, 8)
        length = self.lib.smp_handle(self.smp, self.message, len(message))
        assert length <= MESSAGE
        assert bytes(self.message[MESSAGE : MESSAGE + 8]) == b"\xa5" * 8
        return bytes(self.ffi.buffer(self.message, length))

    def ask(self, request: Request) -> Any:
        """Send a request of smpclient, and read the answer as smpclient does."""
        answer = self.handle(request.BYTES)
        assert answer[6] == request.BYTES[6]
        kinds = (request._Response, request._ErrorV1, request._ErrorV2)  # type: ignore[attr-defined]
        for kind in kinds:
            try:
                return kind.loads(answer)
            except ValueError:
                continue
        raise AssertionError(f"smpclient does not understand {answer.hex()}")

    def exchange(
        self, group: int, command: int, body: Any = None, *, write: bool = False, version: int = 1
    ) -> Any:
        """Send any body, return that of the answer."""
        data = body if isinstance(body, bytes) else cbor2.dumps({} if body is None else body)
        operation = (2 if write else 0) | version << 3
        message = struct.pack("!BBHHBB", operation, 0, len(data), group, 77, command) + data
        answer = self.handle(message)
        length, *rest = struct.unpack("!HHBB", answer[2:8])
        assert (answer[0], answer[1]) == (operation + 1, 0)
        assert (length, rest) == (len(answer) - 8, [group, 77, command])
        return cbor2.loads(answer[8:])

    # ---- uploads

    def first(self, image: int, file: bytes, room: int = 300, **fields: Any) -> dict[str, Any]:
        """Return the body of an upload's first request."""
        sha = sha256(file).digest()
        return {
            "off": 0,
            "data": file[:room],
            "len": len(file),
            "sha": sha,
            "image": image,
        } | fields

    def send_over_smp(self, image: int, file: bytes, room: int = 300) -> dict[str, Any]:
        """Upload a file as a client does that follows the offsets; return the last answer."""
        body = self.first(image, file, room)
        for _ in range(1000):
            answer: dict[str, Any] = self.exchange(1, 1, body, write=True)
            if answer.get("off", len(file)) == len(file):
                return answer
            at = answer["off"]
            body = {"off": at, "data": file[at : at + room]}
            body = self.first(image, file, room) if at == 0 else body
        raise AssertionError("the upload does not come to an end")

    # ---- models

    def open_model(self, end: str = "ok") -> int:
        """Let the device choose and open its model; returns the infer_status_t."""
        ended = {"reason": base.reason(end)}
        return int(self.lib.models_open(self.models, ended, self.model, self.plan))

    def open_plan(self) -> bytes:
        """Return the plan that is open."""
        return bytes(self.ffi.buffer(self.plan.bytes, self.plan.length))

    def firmware(self, slot: int, payload: bytes = b"firmware", **fields: Any) -> bytes:
        """Return an image for a firmware slot that can run everything."""
        return super().firmware(slot, payload, **{"capability": able(), **fields})


def able(arena: int = ARENA, **fields: Any) -> bytes:
    """Return the capability of a firmware with all kernels."""
    return images.capability(sorted(OPCODES), arena, **fields)


def installed(
    opened: tuple[Any, Any], geometry: Geometry | None = None, kind: type[Device] = Device
) -> Device:
    """Return a device whose firmware in slot A is confirmed and runs."""
    device = kind(opened, geometry)
    device.load(A, device.firmware(A, b"first", version=(1, 0, 0, 0)))
    assert device.boot() == (A, True)
    assert device.confirm() == "ok"
    assert device.open_model() == 0
    return device
