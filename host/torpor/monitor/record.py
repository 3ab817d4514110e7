# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Recordings: what was heard, in one SQLite file that only grows.

Each batch of events is one transaction, and is shown only after it: whatever was shown is in the
file, however the process ends. The journal is a write-ahead log, so that somebody who reads the
file never makes the recording wait. Without a sync for each transaction (synchronous = NORMAL) a
power cut of the host may cost the last ones; it never makes the file inconsistent.

The tables `records` and `events` share one sequence of numbers, `seq`. What came from a port is
an input ("connected", "disconnected", "dropped", "foreign", "text", and all records); what was
concluded (notices) is there to be read, and is concluded anew when the recording is replayed.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torpor
from torpor.errors import TorporError
from torpor.monitor.alerts import Limits
from torpor.monitor.events import INPUTS, Event, Received, detail_of, kind_of
from torpor.wire import records
from torpor.wire.records import SCHEMA_HASH, Record, Unknown

APPLICATION_ID = 0x746F7270  # "torp"
VERSION = 1
BUSY_S = 10.0
_TABLES = """
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    started REAL NOT NULL,    -- seconds since 1970
    schema INTEGER NOT NULL,  -- hash of the records on the wire
    torpor TEXT NOT NULL,     -- version of the program
    limits TEXT NOT NULL,     -- JSON: fixed thresholds of the alerts
    devices TEXT NOT NULL     -- JSON: ports by name
) STRICT;
CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id),
    time REAL NOT NULL,
    device TEXT NOT NULL,
    kind TEXT NOT NULL,
    n INTEGER,                -- the device's number of it, if it has one
    payload BLOB NOT NULL,    -- as it came: CBOR
    fields TEXT NOT NULL,     -- JSON: the same for people
    crc INTEGER NOT NULL      -- see _row_crc
) STRICT;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id),
    time REAL NOT NULL,
    device TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,     -- JSON
    crc INTEGER NOT NULL
) STRICT;
"""
_ROWS = """
SELECT seq, time, device, kind, payload, NULL, crc FROM records WHERE session = ?1
UNION ALL SELECT seq, time, device, kind, NULL, detail, crc FROM events WHERE session = ?1
ORDER BY seq
"""


class RecordingError(TorporError):
    """A file is no recording, is damaged, or comes from another version."""


@dataclass(frozen=True)
class Session:
    """One run of the monitor.

    Attributes:
        number: from 1 on.
        started: seconds since 1970.
        schema: hash of the records that it knows.
        limits: thresholds of its alerts.
        devices: ports by name, in the order in which they are shown.
    """

    number: int
    started: float
    schema: int
    limits: Limits
    devices: dict[str, str]


class _File:
    """An open database. A context manager: leaving it lets go of the file."""

    _db: sqlite3.Connection

    def close(self) -> None:
        """Let go of the file; what is in the write-ahead log goes into it."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()


class Recorder(_File):
    """Writes one session at the end of a recording, which is made if it is not there.

    Args:
        path: of the file.
        started: seconds since 1970.
        limits: thresholds of the alerts.
        devices: ports by name.

    Raises:
        RecordingError: the file is something else, or cannot be written.
    """

    def __init__(self, path: Path, started: float, limits: Limits, devices: dict[str, str]) -> None:
        self._path = path
        with _explained(path):
            self._db = _open_to_write(path)
            try:
                self._session = self._begin(started, limits, devices)
            except BaseException:
                self._db.close()
                raise

    def _begin(self, started: float, limits: Limits, devices: dict[str, str]) -> int:
        words = json.dumps(limits.to_json()), json.dumps(devices)
        row = started, SCHEMA_HASH, torpor.__version__, *words
        with _transaction(self._db):
            made = self._db.execute("INSERT INTO sessions VALUES (NULL, ?, ?, ?, ?, ?)", row)
        return made.lastrowid or 0

    def write(self, batch: Sequence[tuple[Event, dict[str, Any]]]) -> None:
        """Add events and what they say for people; all of them are in the file after it.

        Raises:
            RecordingError: the disk is full, or the file was damaged meanwhile.
        """
        with _explained(self._path), _transaction(self._db):
            seq = self._last_seq()
            for number, (event, words) in enumerate(batch, seq + 1):
                self._insert(number, event, words)

    def _last_seq(self) -> int:
        """Return the last number that was given, by whatever process."""
        query = (
            "SELECT ifnull(max(seq), 0) FROM "
            "(SELECT max(seq) AS seq FROM records UNION ALL SELECT max(seq) FROM events)"
        )
        (number,) = self._db.execute(query).fetchone()
        return int(number)

    def _insert(self, seq: int, event: Event, words: dict[str, Any]) -> None:
        begin = seq, self._session, event.time, event.device, kind_of(event)
        if isinstance(event, Received):
            number, crc = getattr(event.record, "n", None), _row_crc(*begin, event.payload.hex())
            self._add("records", *begin, number, event.payload, json.dumps(words), crc)
        else:
            detail = json.dumps(detail_of(event))
            self._add("events", *begin, detail, _row_crc(*begin, detail))

    def _add(self, table: str, *values: object) -> None:
        places = ", ".join("?" * len(values))
        self._db.execute(f"INSERT INTO {table} VALUES ({places})", values)  # noqa: S608 - ours


def _row_crc(*values: object) -> int:
    """Return the CRC-32 (zlib) of seq, session, time, device, kind, and payload (in hexadecimal) or
    detail, as a JSON list: SQLite notices damage to its own structure only."""
    return zlib.crc32(json.dumps(values).encode())


class Recording(_File):
    """Reads a recording.

    Args:
        path: of the file.

    Raises:
        RecordingError: it is none, is damaged, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise RecordingError(
                f"there is no recording {path}", "torpor monitor --record makes one"
            )
        with _explained(path):
            self._db = sqlite3.connect(f"file:{_uri(path)}?mode=ro", uri=True, timeout=BUSY_S)
            try:
                _check(self._db, path)
                _check_pages(self._db, path)
            except BaseException:
                self._db.close()
                raise

    def sessions(self) -> list[Session]:
        """Return all sessions in order.

        Raises:
            RecordingError: the file is damaged.
        """
        query = "SELECT id, started, schema, limits, devices FROM sessions ORDER BY id"
        with _understood(self._path):
            return [_session(*row) for row in self._db.execute(query)]

    def events(self, session: Session) -> Iterator[Event]:
        """Yield what came from the ports in a session, in its order; no notices.

        Raises:
            RecordingError: the session was recorded with other records, or the file is damaged.
        """
        with _understood(self._path):
            self._check_schema(session)
            for row in self._db.execute(_ROWS, (session.number,)):
                event = self._event(session, row)
                if event is not None:
                    yield event

    def _event(self, session: Session, row: tuple[Any, ...]) -> Event | None:
        """Return what a row is, if it came from a port."""
        seq, time, device, kind, payload, detail, crc = row
        content = detail if payload is None else payload.hex()
        if crc != _row_crc(seq, session.number, time, device, kind, content):
            raise RecordingError(f"{self._path} is damaged: number {seq} has a wrong CRC")
        if device not in session.devices:
            raise RecordingError(f"{self._path} is damaged: number {seq} is of no device")
        if payload is not None:
            return Received(time, device, payload, self._record(payload))
        return INPUTS[kind](time, device, **json.loads(detail)) if kind in INPUTS else None

    def _check_schema(self, session: Session) -> None:
        if session.schema != SCHEMA_HASH:
            raise RecordingError(
                f"{self._path}: session {session.number} has records {session.schema:08x}, "
                f"this torpor {SCHEMA_HASH:08x}",
                "use the torpor that it was recorded with",
            )

    def _record(self, payload: bytes) -> Record:
        record = records.decode(payload)
        if isinstance(record, Unknown):
            raise RecordingError(f"{self._path} is damaged: a record is {record.reason}")
        return record


def _session(number: int, started: float, schema: int, limits: str, devices: str) -> Session:
    thresholds = Limits.from_json(json.loads(limits))
    return Session(number, started, schema, thresholds, dict(json.loads(devices)))


# ---- the file


def _uri(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _open_to_write(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        if not _is_new(database):
            _check(database, path)  # before anything is written into a file of others
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        with _transaction(database):
            if _is_new(database):  # still: two may have begun at once
                _make(database)
    except BaseException:
        database.close()
        raise
    return database


def _is_new(database: sqlite3.Connection) -> bool:
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return bool(tables == 0) and _pragma(database, "application_id") == 0


def _make(database: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        database.execute(statement)
    for table in ("sessions", "records", "events"):
        for action in ("UPDATE", "DELETE"):
            database.execute(
                f"CREATE TRIGGER {table}_no_{action} BEFORE {action} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'a recording only grows'); END"
            )
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {VERSION}")


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


def _check(database: sqlite3.Connection, path: Path) -> None:
    """Raise RecordingError unless the file is a recording of this version."""
    if _pragma(database, "application_id") != APPLICATION_ID:
        raise RecordingError(f"{path} is a database, but no recording of torpor")
    version = _pragma(database, "user_version")
    if version != VERSION:
        raise RecordingError(
            f"{path} is a recording of version {version}, this torpor has version {VERSION}",
            "use the torpor that it was recorded with, or record into another file",
        )


def _check_pages(database: sqlite3.Connection, path: Path) -> None:
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise RecordingError(f"{path} is damaged: {found}")


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; nobody else writes meanwhile."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # a full disk may have ended it
            database.execute("ROLLBACK")
        raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says into an error for the user."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RecordingError(f"cannot use the recording {path}: {error}") from None
    except sqlite3.DatabaseError as error:
        raise RecordingError(f"{path} is no recording, or is damaged: {error}") from None


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """Turn what cannot be read as what it should be into an error for the user, too."""
    try:
        with _explained(path):
            yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RecordingError(f"{path} is damaged: {error}") from None
