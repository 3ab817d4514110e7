# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor size: what is in an ELF file, and how it differs from another."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.errors import UsageError
from torpor.footprint import sizes
from torpor.footprint.sizes import Sizes

NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=4)
SYMBOLS = st.dictionaries(NAMES, st.integers(0, 99), max_size=6)

FIRST = """
int table[10];
const char words[32] = "w";
int f(int x) { return x + table[0]; }
int main(void) { return f(words[0]); }
"""
SECOND = FIRST.replace("table[10]", "table[30]").replace("const char words[32]", "const char w[8]")
SECOND = SECOND.replace("words", "w")


def compiled(folder: Path, name: str, text: str) -> Path:
    """Compile a program for this computer."""
    (folder / f"{name}.c").write_text(text)
    command = ["gcc", "-O0", "-o", str(folder / name), str(folder / f"{name}.c")]
    subprocess.run(command, check=True)
    return folder / name


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run torpor size."""
    command = [sys.executable, "-m", "torpor", "size", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def of(symbols: dict[str, int]) -> Sizes:
    """Return sizes of nothing but symbols."""
    return Sizes({}, symbols, dict.fromkeys(symbols, "code"))


@given(SYMBOLS, SYMBOLS)
def test_what_has_grown_makes_the_one_of_the_other(
    now: dict[str, int], before: dict[str, int]
) -> None:
    grown = of(now).grown(of(before))
    assert 0 not in grown.values()
    assert list(grown.values()) == sorted(grown.values(), reverse=True)
    made = {name: before.get(name, 0) + grown.get(name, 0) for name in {*now, *before}}
    assert made == {name: now.get(name, 0) for name in {*now, *before}}


@given(SYMBOLS)
def test_sizes_survive_their_file(
    tmp_path_factory: pytest.TempPathFactory, symbols: dict[str, int]
) -> None:
    file = tmp_path_factory.mktemp("sizes") / "sizes.json"
    file.write_text(of(symbols).to_json(), encoding="utf-8")
    assert sizes.load(file) == of(symbols)


def test_functions_constants_and_variables_lie_where_they_do(tmp_path: Path) -> None:
    found = sizes.read(compiled(tmp_path, "first", FIRST))
    assert found.places["main"] == found.places["f"] == "code"
    assert found.places["words"] == "constants"
    assert found.places["table"] == "RAM"
    assert (found.symbols["table"], found.symbols["words"]) == (40, 32)
    assert found.sections[".bss"] >= 40
    assert ".symtab" not in found.sections, "it is in the file only"


def test_the_tables_show_what_changed(tmp_path: Path) -> None:
    before = compiled(tmp_path, "before", FIRST)
    now = compiled(tmp_path, "now", SECOND)
    kept = tmp_path / "kept.json"
    kept.write_text(run(str(before), "--json").stdout)
    done = run(str(now), "--against", str(kept), "--name", "yesterday", "--top", "3")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["table", "RAM", "120"] in rows
    assert ["table", "RAM", "+80"] in rows
    assert "changed since yesterday: +56 bytes of symbols" in done.stdout
    assert ["words", "constants,", "gone", "-32"] in rows
    printed = json.loads(run(str(now), "--against", str(kept), "--json").stdout)
    assert printed["grown"] == {"table": 80, "w": 8, "words": -32}


def test_what_has_not_changed_is_said_in_a_line(tmp_path: Path) -> None:
    elf = compiled(tmp_path, "same", FIRST)
    kept = tmp_path / "kept.json"
    kept.write_text(sizes.read(elf).to_json())
    done = run(str(elf), "--against", str(kept), "--name", "before")
    assert "no symbol has changed since before" in done.stdout


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"sections": 1}', "\x00", '{"sections": {}}'])
def test_a_file_without_sizes_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kept.json"
    file.write_text(text)
    with pytest.raises(UsageError, match="has no sizes in it") as error:
        sizes.load(file)
    assert "torpor size" in error.value.hint


def test_what_is_no_firmware_is_two_lines(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no ELF")
    for name, words in (("text", "is no ELF file"), ("none", "cannot read")):
        done = run(str(tmp_path / name))
        assert done.returncode == UsageError.exit_code
        assert words in done.stderr and "Traceback" not in done.stderr
    done = run(str(tmp_path))
    assert "firmware.elf" in done.stderr and "hint: build it" in done.stderr
