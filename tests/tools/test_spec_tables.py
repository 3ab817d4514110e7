# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/SPEC.md are made from the sources, and only what stands between the marks."""

import sys
from pathlib import Path

import pytest

from tools import spec_tables
from tools.spec_tables import BLOCK, enum_table, make, renew, status_table, struct_table
from torpor.plan import layout
from torpor.wire.schema import SCHEMA

MARKED = "<!-- table status -->\n{}<!-- end -->\n"
STALE = "before\n" + MARKED.format("old\n") + "between\n" + MARKED.format("")


def rows(table: str) -> list[list[str]]:
    """Return the cells below the heading."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_only_what_stands_between_the_marks_is_made_anew() -> None:
    fresh, stale = renew(STALE)
    assert stale == ["status", "status"]
    assert BLOCK.sub("#", fresh) == "before\n#\nbetween\n#\n"
    assert "old" not in fresh


def test_a_text_without_tables_stays_as_it_is() -> None:
    assert renew("no <!-- table --> here\n") == ("no <!-- table --> here\n", [])


def test_a_table_of_a_struct_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="substring not found"):
        make("plan_nothing_t")


@pytest.mark.parametrize("struct", layout.struct_names())
def test_the_table_of_a_struct_has_each_member_at_its_offset(struct: str) -> None:
    found = [(int(row[0]), row[1], row[2]) for row in rows(struct_table(struct))]
    assert found == [
        (field.offset, f"`{field.type.cname}`", f"`{name}`")
        for name, field in layout.fields(struct)
    ]
    assert f"\n{layout.sizeof(struct)} bytes.\n" in struct_table(struct)


def test_meanings_are_the_comments_of_the_header() -> None:
    meanings = {row[2]: row[3] for row in rows(struct_table("plan_header_t"))}
    assert meanings["`n_labels`"].startswith("consecutive NUL-terminated strings")


def test_the_table_of_constants_has_those_of_its_prefix_only() -> None:
    found = {row[0].strip("`"): int(row[1], 0) for row in rows(enum_table("PLAN_TYPE_"))}
    assert found == {
        name: value
        for name, value in layout.CONST.items()
        if name.startswith("PLAN_TYPE_") and not name.endswith("_COUNT")
    }


def test_large_constants_are_hexadecimal() -> None:
    found = {row[0]: row[1] for row in rows(enum_table("PLAN_NO_STRING"))}
    assert found == {"`PLAN_NO_STRING`": "0xffffffff"}


def test_the_table_of_status_codes_is_the_schema_s() -> None:
    assert {row[0].strip("`"): int(row[1]) for row in rows(status_table())} == SCHEMA.status


def test_the_table_of_records_has_each_field_in_order() -> None:
    found = {row[1].strip("`"): row for row in rows(make("records"))}
    assert set(found) == set(SCHEMA.records)
    for kind, record in SCHEMA.records.items():
        fields = [part.split()[0] for part in found[kind][2].split(", ")]
        assert fields == [field.name for field in record.fields]
        assert int(found[kind][0]) == record.id


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "SPEC.md"
    path.write_text(STALE)
    monkeypatch.setattr(spec_tables, "SPEC", path)
    return path


def test_check_names_the_stale_tables_and_writes_nothing(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["spec_tables.py", "--check"])
    assert spec_tables.main() == 1
    assert "table status is stale: run tools/spec_tables.py" in capsys.readouterr().out
    assert spec.read_text() == STALE


def test_without_check_the_tables_are_written_and_then_not_stale(
    spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["spec_tables.py"])
    assert spec_tables.main() == 0
    assert "bad_request" in spec.read_text()
    monkeypatch.setattr(sys, "argv", ["spec_tables.py", "--check"])
    assert spec_tables.main() == 0
