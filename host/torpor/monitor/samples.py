# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Inputs that a device has kept: fetched over the wire, piece by piece."""

from collections.abc import Iterator
from typing import Any

from torpor.errors import DeviceError
from torpor.link import DeviceClient
from torpor.stats.store import Entry

RAW, SUMMARY = 0, 1
"""Kinds of samples: the input itself, or mean and deviation of each of its channels."""

WHY = {1: "random", 2: "low score"}
KINDS = {RAW: "raw", SUMMARY: "summary"}


ABOUT = ("number", "time", "plan", "why", "best", "score", "kind")
"""What is known of a sample beside its bytes: members of Entry and fields of the record."""

TRIES = 8


def fetch_samples(client: DeviceClient, after: int = -1) -> Iterator[Entry]:
    """Yield what the device has kept, by number.

    Args:
        client: of the device.
        after: only those with higher numbers.

    Raises:
        DeviceError: no answer, or a firmware that keeps no inputs.
    """
    client.hello()
    number = after + 1
    while entry := _fetch(client, number):
        yield entry
        number = entry.number + 1


def _fetch(client: DeviceClient, number: int) -> Entry | None:
    """Return the sample with the lowest number from `number` on, or None.

    One that the device frees meanwhile is dropped, and the next one is fetched.
    """
    for _ in range(TRIES):
        head = _ask(client, number, 0)
        if head.status != 0:
            return None
        data = _bytes_of(client, head)
        if data is not None:
            return Entry(data, **{name: getattr(head, name) for name in ABOUT})
    raise DeviceError(f"sample {number} and those after it change while they are fetched")


def _bytes_of(client: DeviceClient, head: Any) -> bytes | None:
    """Return all bytes of a sample whose first record is here; None if it is no longer there."""
    data = bytes(head.data)
    while len(data) < head.size:
        part = _ask(client, head.number, len(data))
        if not _same(part, head):
            return None
        if not part.data:
            break
        data += part.data
    if len(data) != head.size:
        raise DeviceError(f"sample {head.number} has {len(data)} bytes, not {head.size}")
    return data


def _same(part: Any, head: Any) -> bool:
    """Whether an answer is about the sample that was begun."""
    return all(getattr(part, name) == getattr(head, name) for name in ("status", "size", *ABOUT))


def _ask(client: DeviceClient, number: int, offset: int) -> Any:
    try:
        answer = client.fetch(number, offset)
    except DeviceError as error:
        raise DeviceError(
            f"the device does not tell what it keeps: {error.message}",
            "a firmware of scons app=wake does",
        ) from None
    if answer.status == 0 and (answer.offset != offset or answer.number < number):
        raise DeviceError(f"the device sent sample {answer.number} at {answer.offset} unasked")
    return answer
