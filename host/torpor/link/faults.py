# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A wire that damages bytes on purpose: for tests, and for trying a device on a bad line."""

import random
from collections.abc import Iterable, Iterator

from torpor.link.transport import Transport

KINDS = ("flip", "drop", "duplicate", "insert")
Fault = tuple[int, str, int]


def random_faults(seed: int, mean_gap: float) -> Iterator[Fault]:
    """Yield faults without end: one in `mean_gap` bytes on average, the same for the same seed."""
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose
    while True:
        yield int(source.expovariate(1 / mean_gap)), source.choice(KINDS), source.randrange(1, 256)


class Damage:
    """Damages a stream of bytes.

    Args:
        faults: (gap, kind, byte) each: after `gap` good bytes one byte is flipped (xor `byte`),
            dropped, duplicated, or has `byte` put before it. When they are used up the stream
            passes unharmed.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = iter(faults)
        self._next = next(self._faults, None)
        self.done = 0  # faults so far

    def apply(self, data: bytes) -> bytes:
        """Return `data` as it comes out at the other end."""
        return b"".join(self._pass(byte) for byte in data)

    def _pass(self, byte: int) -> bytes:
        if self._next is None:
            return bytes([byte])
        gap, kind, other = self._next
        if gap > 0:
            self._next = (gap - 1, kind, other)
            return bytes([byte])
        self._next = next(self._faults, None)
        self.done += 1
        return {
            "flip": bytes([byte ^ other]),
            "drop": b"",
            "duplicate": bytes([byte, byte]),
            "insert": bytes([other, byte]),
        }[kind]


class FaultyTransport:
    """A transport whose bytes are damaged in both directions."""

    def __init__(self, inner: Transport, to_device: Damage, to_host: Damage) -> None:
        self._inner = inner
        self.to_device = to_device
        self.to_host = to_host

    def read(self, timeout: float) -> bytes:
        """See `Transport.read`."""
        while data := self._inner.read(timeout):
            if damaged := self.to_host.apply(data):
                return damaged
        return b""

    def write(self, data: bytes) -> None:
        """See `Transport.write`."""
        self._inner.write(self.to_device.apply(data))

    def close(self) -> None:
        """See `Transport.close`."""
        self._inner.close()
