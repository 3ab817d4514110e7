# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The debug port of an emulated core: memory, and places where it stops, as a debug probe has them.

QEMU and Renode speak the GDB Remote Serial Protocol (GDB manual, appendix "GDB Remote Serial
Protocol"). The firmware is the one that ships: it notices nothing, since virtual time stands still
meanwhile.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torpor.emulate.image import Image
from torpor.errors import DeviceError
from torpor.link import Transport
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan

TIMEOUT = 10.0
CHUNK = 1920  # bytes in one packet: two digits each and an address fit QEMU 7.2's 4096
INTERRUPT = b"\x03"  # stops a running core; answered by a stop packet
STOPS = (b"S", b"T")
_PACKET = re.compile(rb"\$([^#]*)#[0-9a-f]{2}")


class DebugPort(Transport, Protocol):
    """A transport that can be waited for."""

    def fileno(self) -> int:
        """Return the descriptor to select on."""
        ...


@dataclass(frozen=True)
class Code:
    """An instruction about to be executed."""

    address: int


@dataclass(frozen=True)
class Store:
    """A store about to be made, anywhere in a range of addresses."""

    first: int
    size: int


Place = Code | Store
"""Where a core stops, before what is there happens."""


def functions(elf: Path, *names: str) -> list[Code]:
    """Return the beginnings of functions.

    Raises:
        UsageError: `elf` is no ELF file, or has no such symbol.
    """
    image = Image.read(elf)
    mask = ~1 if image.thumb else ~0
    return [Code(image.place(name)[0] & mask) for name in names]


class Debugger:
    """A debugger's connection to an emulated core.

    Args:
        transport: the emulator's debug port.
        running: whether the core runs; a QEMU that was started with -S does not.
    """

    def __init__(self, transport: DebugPort, *, running: bool = True) -> None:
        self._transport = transport
        self._arrived = b""
        self._running = running

    def write(self, pieces: Sequence[tuple[int, bytes]]) -> None:
        """Write memory: (address, bytes) each. The core stands still for all of them.

        Raises:
            DeviceError: there is no memory at an address, or no answer.
        """
        with self.paused():
            for address, data in pieces:
                for offset in range(0, len(data), CHUNK):
                    piece = data[offset : offset + CHUNK]
                    what = b"M%x,%x:%s" % (address + offset, len(piece), piece.hex().encode())
                    self._order(what, f"{len(piece)} bytes at {address + offset:#x}")

    def read(self, address: int, length: int) -> bytes:
        """Read memory.

        Raises:
            DeviceError: there is no memory there, or no answer.
        """
        data = b""
        with self.paused():
            while len(data) < length:
                size = min(CHUNK, length - len(data))
                self._send(b"m%x,%x" % (address + len(data), size))
                answer = self._answer()
                if len(answer) != 2 * size:
                    raise DeviceError(
                        f"the debug port does not read {size} bytes at"
                        f" {address + len(data):#x}: {answer!r}"
                    )
                data += bytes.fromhex(answer.decode())
        return data

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let the core stand still inside the block; one that stood still before goes on to."""
        was_running = self._running
        self.pause()
        try:
            yield
        finally:
            if was_running:
                self.resume()

    def pause(self) -> None:
        """Stop the core, if it runs."""
        if self._running:
            self._transport.write(INTERRUPT)
            self._reply()
            self._running = False

    def resume(self) -> None:
        """Let the core run."""
        self._send(b"c")
        self._running = True

    def set_places(self, places: Sequence[Place]) -> None:
        """Let a core that stands still stop at these places, once it runs.

        Raises:
            DeviceError: it cannot.
        """
        for place in places:
            self._order(b"Z%s" % _place(place), f"to stop at {place}")

    def clear_places(self, places: Sequence[Place]) -> None:
        """Take places back that were set."""
        for place in places:
            self._order(b"z%s" % _place(place), f"not to stop at {place}")

    def step(self) -> None:
        """Let a core that stands still make one instruction. Interrupts and time wait."""
        self._send(b"s")
        self._reply()

    def expect_stop(self) -> None:
        """Wait for a core that stops by itself where it begins (Renode)."""
        self._reply()
        self._running = False

    def has_stopped(self, timeout: float = 0) -> bool:
        """True if the running core has stopped by itself; waits up to `timeout` seconds for it."""
        if self._running and self._packet(timeout) is not None:
            self._running = False
        return not self._running

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a running core stops."""
        return self._transport.fileno()

    def close(self) -> None:
        """Let go of the port; the core goes on as it was. Safe to call twice."""
        self._transport.close()

    def _order(self, packet: bytes, what: str) -> None:
        self._send(packet)
        answer = self._answer()
        if answer != b"OK":
            raise DeviceError(f"the debug port refuses {what}: {answer!r}")

    def _send(self, packet: bytes) -> None:
        self._transport.write(b"$%s#%02x" % (packet, sum(packet) & 0xFF))

    def _answer(self) -> bytes:
        """Return the next packet that is no stop packet: Renode tells of some stops twice."""
        while (packet := self._reply()).startswith(STOPS):
            pass
        return packet

    def _reply(self) -> bytes:
        """Return the next packet."""
        packet = self._packet(TIMEOUT)
        if packet is None:
            raise DeviceError(f"the debug port has not answered for {TIMEOUT:g} s")
        return packet

    def _packet(self, timeout: float) -> bytes | None:
        """Return the next packet, acknowledged, or None if nothing comes for `timeout` seconds.

        The acknowledgements of ours are passed over.
        """
        while (found := _PACKET.search(self._arrived)) is None:
            data = self._transport.read(timeout)
            if not data:
                return None
            self._arrived += data
        self._arrived = self._arrived[found.end() :]
        self._transport.write(b"+")
        return found[1]


def _place(place: Place) -> bytes:
    if isinstance(place, Code):
        return b"1,%x,2" % place.address
    return b"2,%x,%x" % (place.first, place.size)


Write = Callable[[Sequence[tuple[int, bytes]]], None]


def input_loader(write: Write, image: Image) -> "InputLoader | None":
    """Return the loader for a firmware; None if its plan does not say where inputs lie."""
    plan = Plan.parse(image.content("torpor_plan"))
    if plan.header["target"] == CONST["PLAN_TARGET_TFLM"]:
        return None
    return InputLoader(write, image)


class InputLoader:
    """Loads inputs into the arena of the model that a firmware embeds.

    The CRC in the following `run` proves that every byte arrived.

    Args:
        write: writes memory of the device, see `Debugger.write`.
        image: the firmware that runs there.

    Raises:
        UsageError: `image` is no firmware of torpor's, or has no symbols.
        ModelError: the plan in it is of another format version.
    """

    def __init__(self, write: Write, image: Image) -> None:
        self._write = write
        arena, _ = image.place("model_arena")
        plan = Plan.parse(image.content("torpor_plan"))
        tensors = [plan.tensors[io["tensor"]] for io in plan.inputs]
        self._places = [(arena + tensor["offset"], tensor["bytes"]) for tensor in tensors]

    def __call__(self, inputs: Sequence[bytes]) -> None:
        """Write the bytes of every input, in the model's order.

        Raises:
            DeviceError: another number of inputs or bytes, or the debug port fails.
        """
        sizes = [size for _, size in self._places]
        if [len(data) for data in inputs] != sizes:
            raise DeviceError(
                f"inputs of {[len(x) for x in inputs]} bytes, the model takes {sizes}"
            )
        places = [address for address, _ in self._places]
        self._write(list(zip(places, inputs, strict=True)))
