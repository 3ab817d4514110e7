# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Records of the journal that are events: the history of a device, as firmware/update has it.

Struct and numbers are read from the headers of firmware/update, so that nothing is written down
twice; the host's machine is little endian, as the journal is.
"""

import re
import zlib
from dataclasses import astuple, dataclass
from typing import Any

import cffi

from torpor.image.reasons import Reason, reason
from torpor.image.version import Version
from torpor.paths import FIRMWARE

UPDATE = FIRMWARE / "update"

_DEFINE = re.compile(r"^#define\s+(\w+)\s+(\d+)u?\b", re.M)
_TYPE = r"typedef\s+(?:struct|enum)\s*\{{[^{{}}]*\}}\s*{name}\s*;"


def _header(name: str) -> str:
    return (UPDATE / name).read_text(encoding="utf-8")


def type_in(text: str, name: str) -> str:
    """Return the declaration of type `name` in a header, without comments.

    Raises:
        ValueError: it is not there.
    """
    found = re.search(_TYPE.format(name=name), re.sub(r"/\*.*?\*/", " ", text, flags=re.S))
    if found is None:
        raise ValueError(f"the header has no {name}")
    return found[0]


def _load() -> tuple[cffi.FFI, dict[str, int]]:
    image, journal = _header("image.h"), _header("journal.h")
    texts = (image, journal, _header("layout.h"), _header("update.h"))
    constants = {m[1]: int(m[2]) for text in texts for m in _DEFINE.finditer(text)}
    loaded = cffi.FFI()
    loaded.cdef(f"#define IMAGE_ID_BYTES {constants['IMAGE_ID_BYTES']}")
    loaded.cdef(type_in(image, "image_version_t"))
    loaded.cdef(type_in(journal, "journal_kind_t") + type_in(journal, "journal_record_t"))
    return loaded, constants


ffi, CONST = _load()
RECORD_BYTES = CONST["JOURNAL_RECORD_BYTES"]
ID_BYTES = CONST["IMAGE_ID_BYTES"]
ATTEMPTS = CONST["UPDATE_ATTEMPTS"]
NO_SLOT = 0xFF
KINDS: dict[int, str] = {
    number: name.removeprefix("JOURNAL_").lower()
    for name, number in ffi.typeof("journal_kind_t").relements.items()
    if number >= ffi.typeof("journal_kind_t").relements["JOURNAL_EVENTS"]
    and name != "JOURNAL_EVENTS"
}
"""Name of an event ("armed") by its number."""


class BadRecordError(Exception):
    """Bytes that are no event of a journal."""


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        number: counts from 0 on for the life of the device.
        kind: a name of KINDS, or "event 99" for one that this torpor does not know.
        slot: numbered through, or None.
        version: of the image, see `has_version`.
        id: first bytes of the image's hash; of an upload, of the file's SHA-256.
        reason: why; number 0 if there is none.
        attempt: of a trial, from 1 on; else 0.
        detail: two numbers, see `pc`, `lr`, `counter`, `length`.
    """

    number: int
    kind: str
    slot: int | None
    version: Version
    id: bytes
    reason: Reason
    attempt: int
    detail: tuple[int, int]

    @property
    def ended(self) -> bool:
        """True if it tells how a run ended: the end of a trial, or of the run before an attempt."""
        return self.kind in ("attempt", "reverted")

    @property
    def pc(self) -> int | None:
        """Where a run ended, if that is known."""
        return (self.detail[0] or None) if self.ended else None

    @property
    def lr(self) -> int | None:
        """Where that was called from, if that is known."""
        return (self.detail[1] or None) if self.ended else None

    @property
    def has_version(self) -> bool:
        """True if it is about an image; an upload is about a file of which nothing is known yet."""
        return self.kind not in ("upload", "refused")

    @property
    def counter(self) -> int | None:
        """The security counter from here on, of a confirmation."""
        return self.detail[0] if self.kind == "confirmed" else None

    @property
    def length(self) -> int | None:
        """Bytes of a file, of an upload."""
        return self.detail[0] if self.kind == "upload" else None


def decode(number: int, data: bytes) -> Event:
    """Return event `number` from its record as it lies in flash.

    Raises:
        BadRecordError: wrong length or CRC.
    """
    if len(data) != RECORD_BYTES:
        raise BadRecordError(f"event {number} has {len(data)} bytes, not {RECORD_BYTES}")
    record: Any = ffi.from_buffer("journal_record_t *", data)
    if record.crc != _crc(data):
        raise BadRecordError(f"event {number} is damaged: its CRC is wrong")
    version = record.version
    return Event(
        number,
        KINDS.get(record.kind, f"event {record.kind}"),
        None if record.slot == NO_SLOT else record.slot,
        Version(version.major, version.minor, version.revision, version.build),
        bytes(record.id),
        reason(record.reason),
        record.attempt,
        (record.detail[0], record.detail[1]),
    )


def encode(event: Event) -> bytes:
    """Return the record of an event: for tests of whatever reads them."""
    numbers = {name: number for number, name in KINDS.items()}
    kind = numbers.get(event.kind) or int(event.kind.removeprefix("event "))
    slot = NO_SLOT if event.slot is None else event.slot
    version = astuple(event.version)
    record = ffi.new(
        "journal_record_t *",
        [kind, slot, event.reason.number, event.attempt, version, event.id, event.detail, 0],
    )
    record.crc = _crc(bytes(ffi.buffer(record)))
    return bytes(ffi.buffer(record))


def _crc(record: bytes) -> int:
    return zlib.crc32(record[: ffi.typeof("journal_record_t").fields[-1][1].offset])
