# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Puts a model's inputs straight into the memory of an emulated device, as a debug probe would.

QEMU speaks the GDB Remote Serial Protocol (GDB manual, appendix "GDB Remote Serial Protocol"). The
firmware is the one that ships: it notices nothing, since virtual time stands still meanwhile. The
CRC in the following `run` proves that every byte arrived.
"""

import re
from collections.abc import Sequence

from torpor.emulate.image import Image
from torpor.errors import DeviceError
from torpor.link import Transport
from torpor.plan.reader import Plan

TIMEOUT = 10.0
CHUNK = 1920  # bytes in one packet: two digits each and an address fit QEMU 7.2's 4096
INTERRUPT = b"\x03"  # stops a running core; answered by a stop packet
_PACKET = re.compile(rb"\$([^#]*)#[0-9a-f]{2}")


class Debugger:
    """A debugger's connection to an emulated core, which runs on between two calls.

    Args:
        transport: QEMU's debug port.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._arrived = b""

    def write(self, pieces: Sequence[tuple[int, bytes]]) -> None:
        """Write memory: (address, bytes) each. The core stands still for all of them.

        Raises:
            DeviceError: there is no memory at an address, or no answer.
        """
        self._transport.write(INTERRUPT)
        self._reply()
        for address, data in pieces:
            for offset in range(0, len(data), CHUNK):
                self._write(address + offset, data[offset : offset + CHUNK])
        self._send(b"c")

    def close(self) -> None:
        """Let go of the port; the core goes on as it was. Safe to call twice."""
        self._transport.close()

    def _write(self, address: int, data: bytes) -> None:
        self._send(b"M%x,%x:%s" % (address, len(data), data.hex().encode()))
        answer = self._reply()
        if answer != b"OK":
            raise DeviceError(
                f"the debug port refuses {len(data)} bytes at {address:#x}: {answer!r}"
            )

    def _send(self, packet: bytes) -> None:
        self._transport.write(b"$%s#%02x" % (packet, sum(packet) & 0xFF))

    def _reply(self) -> bytes:
        """Return the next packet, acknowledged; the acknowledgements of ours are passed over."""
        while (found := _PACKET.search(self._arrived)) is None:
            data = self._transport.read(TIMEOUT)
            if not data:
                raise DeviceError(f"the debug port has not answered for {TIMEOUT:g} s")
            self._arrived += data
        self._arrived = self._arrived[found.end() :]
        self._transport.write(b"+")
        return found[1]


class InputLoader:
    """Loads inputs into the arena of the model that a firmware embeds.

    Args:
        debugger: the way into the device's memory.
        image: the firmware that runs there.

    Raises:
        UsageError: `image` is no firmware of torpor's, or has no symbols.
        ModelError: the plan in it is of another format version.
    """

    def __init__(self, debugger: Debugger, image: Image) -> None:
        self._debugger = debugger
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
        self._debugger.write(list(zip(places, inputs, strict=True)))
