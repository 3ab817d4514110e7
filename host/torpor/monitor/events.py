# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What can happen at the port of a device, as values. All that is known comes from these."""

from dataclasses import dataclass, field, fields
from typing import Any

from torpor.wire.records import Record


@dataclass(frozen=True)
class Event:
    """Something has happened.

    Attributes:
        time: of the host, seconds since 1970.
        device: name.
    """

    time: float
    device: str


@dataclass(frozen=True)
class Connected(Event):
    """Its port was opened."""

    port: str


@dataclass(frozen=True)
class Disconnected(Event):
    """Its port is gone or cannot be opened; `reason` is a sentence without a full stop."""

    port: str
    reason: str


@dataclass(frozen=True)
class Received(Event):
    """A frame whose CRC was right has brought a record."""

    payload: bytes
    record: Record


@dataclass(frozen=True)
class Dropped(Event):
    """A line that was no sound frame (`framing.Dropped.reason`), or a frame without a record of
    ours ("unknown")."""

    reason: str


@dataclass(frozen=True)
class Foreign(Event):
    """A `hello` of a firmware that was built from other records, whose hash is `schema`."""

    schema: int


@dataclass(frozen=True)
class Said(Event):
    """A line of text. No CRC protects it: it is shown, and nothing is made of it."""

    line: str


@dataclass(frozen=True)
class Notice(Event):
    """What an event led to: "lost", "restart", "ended", "alert", "cleared",
    "schema".

    Attributes:
        kind: one of these.
        text: a sentence for people, without a full stop.
        detail: the same for programs; JSON as it is.
    """

    kind: str
    text: str
    detail: dict[str, Any] = field(default_factory=dict)


INPUTS: dict[str, type[Event]] = {
    "connected": Connected,
    "disconnected": Disconnected,
    "dropped": Dropped,
    "foreign": Foreign,
    "text": Said,
}
"""What comes from a port, but for records, by its name."""
_NAMES = {cls: kind for kind, cls in INPUTS.items()}


def kind_of(event: Event) -> str:
    """Return what an event is: the kind of its record or notice, or a name of INPUTS."""
    if isinstance(event, Received):
        return event.record.spec.kind
    return event.kind if isinstance(event, Notice) else _NAMES[type(event)]


def detail_of(event: Event) -> dict[str, Any]:
    """Return what an event that is no record says; JSON as it is."""
    if isinstance(event, Notice):
        return {"text": event.text, **event.detail}
    own = (item.name for item in fields(event) if item.name not in ("time", "device"))
    return {name: getattr(event, name) for name in own}
