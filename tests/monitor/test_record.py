# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Recordings only grow, tell damage from data, and replay to what was seen."""

import contextlib
import itertools
import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.monitor.device import Sleeper, about, decision, hello, summary
from tests.monitor.test_state import ANY
from torpor.monitor.alerts import Limits
from torpor.monitor.collect import Reader
from torpor.monitor.document import Snapshot
from torpor.monitor.events import (
    Connected,
    Disconnected,
    Dropped,
    Event,
    Foreign,
    Notice,
    Received,
    Said,
)
from torpor.monitor.record import (
    APPLICATION_ID,
    Recorder,
    Recording,
    RecordingError,
    _row_crc,
)
from torpor.monitor.watch import Monitor
from torpor.wire import records

DEVICES = {"a": "/dev/a", "b": "unix:/b"}
LIMITS = Limits(0.9, 1000.0, None)
START = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.torpor"


def received(record: records.Record, device: str = "a", time: float = START) -> Received:
    return Received(time, device, records.encode(record), record)


def every_event() -> list[Event]:
    """Return one of each kind that comes from a port."""
    return [
        Connected(START, "a", "/dev/a"),
        received(hello()),
        received(about(0)),
        Dropped(START + 1, "a", "crc"),
        Foreign(START + 2, "b", 0xFFFFFFFF),
        Said(START + 3, "a", 'say "ä" \\x00'),
        received(decision(1), "b", START + 4.25),
        Disconnected(START + 5, "a", "/dev/a", "it's gone"),
    ]


def write(path: Path, *batches: Iterable[Event]) -> None:
    with Recorder(path, START, LIMITS, DEVICES) as recorder:
        for batch in batches:
            recorder.write([(event, {}) for event in batch])


def read(path: Path, session: int = -1) -> list[Event]:
    with Recording(path) as recording:
        return list(recording.events(recording.sessions()[session]))


def query(path: Path, words: str) -> list[Any]:
    with sqlite3.connect(path) as database:
        return database.execute(words).fetchall()


# ---- what goes in comes out


def test_events_come_out_as_they_went_in(path: Path) -> None:
    write(path, every_event()[:3], every_event()[3:])
    assert read(path) == every_event()


def test_a_session_has_what_is_needed_to_replay_it(path: Path) -> None:
    write(path)
    with Recording(path) as recording:
        (session,) = recording.sessions()
    assert (session.number, session.started) == (1, START)
    assert (session.limits, session.devices) == (LIMITS, DEVICES)
    assert list(session.devices) == list(DEVICES)
    assert session.schema == records.SCHEMA_HASH


def test_a_second_session_is_added_behind_the_first(path: Path) -> None:
    write(path, every_event())
    write(path, every_event()[:2])
    assert read(path, 0) == every_event()
    assert read(path, 1) == every_event()[:2]


def test_conclusions_are_recorded_and_not_replayed(path: Path) -> None:
    notice = Notice(START, "a", "lost", "2 records lost", {"count": 2, "before": 7})
    write(path, [received(decision(7)), notice])
    assert len(read(path)) == 1
    ((kind, detail),) = query(path, "SELECT kind, detail FROM events")
    assert (kind, json.loads(detail)["count"]) == ("lost", 2)


def test_a_record_is_there_as_bytes_and_in_words(path: Path) -> None:
    with Recorder(path, START, LIMITS, DEVICES) as recorder:
        recorder.write([(received(decision(7)), {"label": "wave"})])
    ((kind, n, payload, fields),) = query(path, "SELECT kind, n, payload, fields FROM records")
    assert (kind, n, payload) == ("decision", 7, records.encode(decision(7)))
    assert json.loads(fields) == {"label": "wave"}


def test_numbers_of_both_tables_are_one_sequence(path: Path) -> None:
    write(path, every_event())
    write(path, every_event())
    rows = query(path, "SELECT seq FROM records UNION ALL SELECT seq FROM events ORDER BY seq")
    assert rows == [(n,) for n in range(1, 2 * len(every_event()) + 1)]


@given(st.lists(ANY, max_size=20), st.integers(1, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_any_records_in_any_batches_come_out(
    tmp_path: Path, many: list[records.Record], size: int
) -> None:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.torpor"
    events = [received(record) for record in many]
    write(path, *(events[i : i + size] for i in range(0, len(events), size)))
    assert read(path) == events


# ---- it only grows


@pytest.mark.parametrize("table", ["sessions", "records", "events"])
@pytest.mark.parametrize("words", ["DELETE FROM {}", "UPDATE {} SET rowid = rowid + 100"])
def test_nothing_can_be_changed_or_taken_away(path: Path, table: str, words: str) -> None:
    write(path, every_event())
    with pytest.raises(sqlite3.IntegrityError, match="a recording only grows"):
        query(path, words.format(table))


def test_a_batch_is_there_as_a_whole_or_not_at_all(path: Path) -> None:
    broken: Any = Said(START, "a", object())  # type: ignore[arg-type]
    with Recorder(path, START, LIMITS, DEVICES) as recorder:
        recorder.write([(received(decision(1)), {})])
        with pytest.raises(TypeError):
            recorder.write([(received(decision(2)), {}), (broken, {})])
        recorder.write([(received(decision(3)), {})])
    assert [event.record.n for event in read(path)] == [1, 3]  # type: ignore[attr-defined]


def test_two_processes_may_record_into_one_file(path: Path) -> None:
    def record(device: str) -> None:
        with Recorder(path, START, LIMITS, DEVICES) as recorder:
            for n in range(100):
                recorder.write([(received(decision(n), device), {})])

    threads = [threading.Thread(target=record, args=(device,)) for device in DEVICES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Recording(path) as recording:
        for session in recording.sessions():
            numbers = [e.record.n for e in recording.events(session)]  # type: ignore[attr-defined]
            assert numbers == list(range(100))


def test_a_recording_can_be_read_while_it_is_written(path: Path) -> None:
    with Recorder(path, START, LIMITS, DEVICES) as recorder:
        recorder.write([(received(decision(1)), {})])
        with Recording(path) as recording:
            (session,) = recording.sessions()
            events: Iterator[Event] = recording.events(session)
            assert next(events)
            recorder.write([(received(decision(2)), {})])
            assert list(events) == []
    assert len(read(path)) == 2


def test_an_ended_session_leaves_one_file(path: Path) -> None:
    write(path, every_event())
    assert [item.name for item in path.parent.iterdir()] == [path.name]


# ---- what is no recording


def refused(path: Path) -> str:
    with pytest.raises(RecordingError) as reading:
        read(path)
    assert str(path) in reading.value.message
    return reading.value.message


def refused_both(path: Path) -> str:
    before = path.read_bytes()
    with pytest.raises(RecordingError) as writing:
        write(path, every_event())
    assert path.read_bytes() == before, "a file of others is left as it is"
    assert refused(path) == writing.value.message
    return writing.value.message


def test_what_is_not_there_cannot_be_replayed(path: Path) -> None:
    assert "there is no recording" in refused(path)
    assert not path.exists()


def test_a_folder_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cannot use the recording .*/no/x"):
        write(path.parent / "no" / "x")


def test_a_text_is_no_recording(path: Path) -> None:
    path.write_text("this is a text, not a database\n" * 100)
    assert "is no recording, or is damaged: file is not a database" in refused_both(path)


def test_a_database_of_others_is_no_recording(path: Path) -> None:
    query(path, "CREATE TABLE mine (x)")
    assert "is a database, but no recording of torpor" in refused_both(path)


def test_a_recording_of_another_version_is_named(path: Path) -> None:
    write(path, every_event())
    query(path, "PRAGMA user_version = 2")
    assert "a recording of version 2, this torpor has version 1" in refused(path)
    with pytest.raises(RecordingError, match="version 2"):
        write(path, every_event())


def test_other_records_on_the_wire_are_named(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torpor.monitor.record.SCHEMA_HASH", 0x1234)
        write(path, every_event())
    assert "session 1 has records 00001234" in refused(path)


def corrupt(path: Path, where: int) -> None:
    data = bytearray(path.read_bytes())
    data[where : where + 64] = bytes(64)
    path.write_bytes(data)


def test_a_damaged_file_is_never_taken_for_a_whole_one(path: Path) -> None:
    write(path, *([event] for event in every_event() * 40))
    whole, good = path.read_bytes(), read(path)
    for where in range(0, len(whole), 1024):
        path.write_bytes(whole)
        corrupt(path, where)
        try:
            found = read(path)
        except RecordingError as error:
            assert str(path) in error.message
        else:  # nothing that is read was hit
            assert found == good


def test_half_a_file_is_damaged(path: Path) -> None:
    write(path, *([event] for event in every_event() * 40))
    os.truncate(path, path.stat().st_size // 2)
    assert "damaged" in refused(path)


def change(path: Path, table: str, column: str, value: str) -> None:
    """Change the column of all rows; the CRC is right again."""
    query(path, f"DROP TRIGGER {table}_no_UPDATE")
    query(path, f"UPDATE {table} SET {column} = {value}")
    content = {"records": "payload", "events": "detail"}[table]
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        rows = f"SELECT seq, session, time, device, kind, {content} FROM {table}"
        for *head, last in database.execute(rows).fetchall():
            crc = _row_crc(*head, last.hex() if isinstance(last, bytes) else last)
            database.execute(f"UPDATE {table} SET crc = ? WHERE seq = ?", (crc, head[0]))


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("payload", "x'00'", "a record is not an array"),
        ("payload", "x'82'", "a record is not CBOR"),
        ("device", "'nobody'", "number 2 is of no device"),
    ],
)
def test_a_record_that_is_none_is_damage(path: Path, column: str, value: str, why: str) -> None:
    write(path, every_event())
    change(path, "records", column, value)
    assert refused(path).endswith(f"is damaged: {why}")


@pytest.mark.parametrize("detail", ["", "[]", "{}", '{"what": 1}', "7"])
def test_an_event_that_is_none_is_damage(path: Path, detail: str) -> None:
    write(path, every_event())
    change(path, "events", "detail", f"'{detail}'")
    assert "is damaged" in refused(path)


@pytest.mark.parametrize("table", ["records", "events"])
@pytest.mark.parametrize("column", ["seq", "session", "time", "device", "kind", "crc"])
def test_a_changed_value_has_a_wrong_crc(path: Path, table: str, column: str) -> None:
    write(path, every_event())
    write(path, [])
    query(path, f"DROP TRIGGER {table}_no_UPDATE")
    value = f"{column} || 'x'" if column in ("device", "kind") else f"{column} + 1"
    query(
        path, f"UPDATE {table} SET {column} = {value} WHERE seq IN (SELECT max(seq) FROM {table})"
    )
    with pytest.raises(RecordingError, match="has a wrong CRC"):
        read(path, 1 if column == "session" else 0)


def test_a_full_disk_is_named() -> None:
    full = Path("/dev/full")
    with pytest.raises(RecordingError, match="/dev/full"):
        write(full, every_event())


# ---- replays


def watch(events: Iterable[Event], recorder: Recorder | None, limits: Limits) -> list[Snapshot]:
    now = START
    monitor = Monitor(DEVICES, limits, recorder=recorder, clock=lambda: now)
    for event in events:
        now = max(now, event.time)
        monitor.handle([event])
    return monitor.snapshots()


@pytest.mark.parametrize("seed", range(5))
def test_a_replay_ends_with_the_snapshot_of_the_day(path: Path, seed: int) -> None:
    device, ticks = Sleeper(seed), itertools.count()
    reader = Reader("a", lambda: START + next(ticks))
    data = device.start() + b"".join(device.work() for _ in range(200)) + device.start()
    data += b"\x05\x12garbage\n" + b"".join(device.work() for _ in range(50))
    events = [Connected(START, "a", "/dev/a"), *reader.feed(data), *every_event()]
    with Recorder(path, START, LIMITS, DEVICES) as recorder:
        then = watch(events, recorder, LIMITS)
    with Recording(path) as recording:
        (session,) = recording.sessions()
        again = watch(recording.events(session), None, session.limits)
    assert again == then
    assert then[0]["alerts"], "there was something to see"
    assert then[0]["totals"]["resets"] >= 1
    assert then[0]["energy"]


def test_what_was_concluded_then_is_concluded_again(path: Path) -> None:
    quick = [received(summary(n, time=60_000 * (n + 1), score_mean=700)) for n in range(3)]
    with Recorder(path, START, LIMITS, DEVICES) as recorder:
        watch(quick, recorder, LIMITS)
    then = [
        (kind, json.loads(d)["text"]) for kind, d in query(path, "SELECT kind, detail FROM events")
    ]
    again: list[tuple[str, str]] = []

    def show(event: Event, _words: Any) -> None:
        if isinstance(event, Notice):
            again.append((event.kind, event.text))

    Monitor(DEVICES, LIMITS, show=show).handle(read(path))
    assert again == then
    assert [kind for kind, _ in then] == ["alert", "alert"]


def test_a_recording_says_what_it_is(path: Path) -> None:
    write(path)
    assert query(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert APPLICATION_ID.to_bytes(4, "big") == b"torp"
