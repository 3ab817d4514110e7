# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""docs/PORTING.md is followed: its commands are run, its keys and its C put where it says."""

import difflib
import re
import subprocess
import tomllib
from dataclasses import dataclass

import pytest

from tests.kit.conftest import Copy
from torpor.paths import ROOT

pytestmark = pytest.mark.xdist_group("kit")

GUIDE = (ROOT / "docs" / "PORTING.md").read_text(encoding="utf-8")
CHAPTER = GUIDE.partition("\n## 5. ")[2]
SECTIONS = dict(re.findall(r"^### (.*)\n((?:(?!### ).*\n)*)", CHAPTER, re.M))
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<kind>\w+)\n(?P<text>.*?)```", re.S)
FILE = re.compile(r"`([\w./]+\.(?:toml|c))`")
LINES = 100  # that a board may cost a person
EQUAL = re.compile(r"bytes as in .* (\d+) of (\d+)")


@dataclass(frozen=True)
class Step:
    """One block of the guide.

    Attributes:
        kind: sh, toml or c.
        text: of the block.
        file: that it is for, or "" for commands.
    """

    kind: str
    text: str
    file: str


def steps(section: str) -> list[Step]:
    """Return what a section wants to be done, in order."""
    found = []
    for block in BLOCK.finditer(section):
        names = FILE.findall(block["before"]) if block["kind"] != "sh" else [""]
        assert len(names) == 1, f"which file is it for? {block['before']}"
        found.append(Step(block["kind"], block["text"], names[0]))
    return found


def with_keys(text: str, keys: str) -> str:
    """Return a board.toml with keys in place of those that it has, as a person would do it."""
    table = ""
    for line in keys.splitlines():
        if head := re.fullmatch(r"\[([\w.]+)\]", line):
            table = head[1]
        elif line:
            key = line.partition(" = ")[0]
            place = rf"(^\[{re.escape(table)}\][^\n]*\n(?:(?!\[)[^\n]*\n)*?){key} = [^\n]*$"
            text, count = re.subn(place, rf"\g<1>{line}", text, count=1, flags=re.M)
            assert count == 1, f"[{table}] has no {key}"
    return text


def has_all(table: dict[str, object], wanted: dict[str, object]) -> bool:
    """Tell whether a table has all keys of another, with their values."""
    return all(
        has_all(table[key], value)  # type: ignore[arg-type]
        if isinstance(value, dict)
        else table[key] == value
        for key, value in wanted.items()
    )


def added(old: str, new: str) -> int:
    """Return how many lines are new."""
    return sum(line.startswith("+ ") for line in difflib.ndiff(old.split("\n"), new.split("\n")))


@dataclass
class Person:
    """Somebody who follows the guide in a copy of the repository.

    Attributes:
        copy: of the repository.
        written: lines so far, commands too.
        heard: what the commands said.
    """

    copy: Copy
    written: int = 0
    heard: str = ""

    def follow(self, step: Step) -> None:
        """Do what a block says."""
        if step.kind == "sh":
            self.written += len(step.text.splitlines())
            done = self.copy.run(step.text)
            assert done.returncode == 0, done.stdout + done.stderr
            self.heard += done.stdout
            return
        path = self.copy.folder / step.file
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        new = step.text if step.kind == "c" else with_keys(old, step.text)
        if step.kind == "toml":
            assert has_all(tomllib.loads(new), tomllib.loads(step.text))
        path.write_text(new, encoding="utf-8")
        self.written += added(old, new)


def test_the_guide_has_a_board_of_an_old_port_and_one_of_a_new_one() -> None:
    kinds = [[step.kind for step in steps(section)] for section in SECTIONS.values()]
    assert kinds == [["sh", "toml", "sh"], ["sh", "toml", "c", "c", "sh"]]


@pytest.mark.emulated
@pytest.mark.parametrize("section", SECTIONS.values(), ids=["old port", "new port"])
def test_who_follows_the_guide_has_a_board_that_says_every_byte(section: str, copy: Copy) -> None:
    person = Person(copy)
    for step in steps(section):
        person.follow(step)
    counts = EQUAL.findall(person.heard)
    assert len(counts) == 2 and all(same == of and int(of) >= 100 for same, of in counts)
    assert person.written < LINES


def test_keys_go_into_their_table_and_nowhere_else() -> None:
    text = '[a]\nsize = 1  # old\n\n[b.c]\nsize = 1\nname = "x"\n'
    assert with_keys(text, "[b.c]\nsize = 2\n") == text.replace("]\nsize = 1\n", "]\nsize = 2\n")
    with pytest.raises(AssertionError, match=r"\[a\] has no name"):
        with_keys(text, '[a]\nname = "y"\n')


def test_lines_that_were_there_count_for_nothing() -> None:
    assert added("a\nb\n", "a\nc\nb\nd\n") == 2
    assert added("", "a\nb\n") == 2


def test_what_is_kept_in_the_guide_has_the_format_of_the_firmware() -> None:
    for section in SECTIONS.values():
        for step in (step for step in steps(section) if step.kind == "c"):
            done = subprocess.run(
                ["clang-format", f"--assume-filename={ROOT / step.file}"],
                input=step.text,
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout == step.text
