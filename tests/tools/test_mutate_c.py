# SPDX-License-Identifier: Apache-2.0
"""Mutants are one change each, and are judged by tests alone."""

import shutil
from pathlib import Path

import pytest

import tools.mutate_c as tool
from tools.mutate_c import DROPPED, Mutant, accepted, main, mutants_of

SOURCE = b"""\
#include <stdint.h>
#define BITS 26 /* bits */
_Static_assert(1 + 1 == 2, "not mutated");

int f(int a)
{
    int b = a - 1; /* 1 + 1 */
    b += a;
    if (a <= 3 && b) {
        b++;
    }
    return b * 0x10u;
}
"""


def changes() -> dict[tuple[int, str], bytes]:
    return {(m.number, m.becomes): m.apply(SOURCE) for m in mutants_of("f.c", SOURCE)}


@pytest.mark.parametrize(
    ("number", "becomes"),
    [
        (2, "#define BITS 27 /* bits */"),
        (2, "#define BITS 25 /* bits */"),
        (7, "int b = a + 1; /* 1 + 1 */"),
        (7, "int b = a - 2; /* 1 + 1 */"),
        (7, "int b = a - 0; /* 1 + 1 */"),
        (8, "b -= a;"),
        (8, DROPPED),
        (9, "if (a < 3 && b) {"),
        (9, "if (a <= 3 || b) {"),
        (10, "b--;"),
        (12, "return b / 0x10u;"),
        (12, "return b * 17u;"),
    ],
)
def test_each_kind_of_change_is_made(number: int, becomes: str) -> None:
    assert (number, becomes) in changes()


def test_a_mutant_differs_in_its_line_alone() -> None:
    for (number, _), changed in changes().items():
        pairs = zip(SOURCE.splitlines(), changed.splitlines(), strict=True)
        assert [i for i, (a, b) in enumerate(pairs, 1) if a != b] == [number]


def test_comments_includes_and_static_assertions_stay() -> None:
    assert {number for number, _ in changes()} == {2, 7, 8, 9, 10, 12}


def test_no_mutant_is_made_twice() -> None:
    found = mutants_of("f.c", SOURCE)
    assert len({m.apply(SOURCE) for m in found}) == len(found)


def test_every_accepted_mutant_is_one_that_is_made_and_has_a_reason() -> None:
    known = accepted(tool.ACCEPTED)
    files = {file for file, _, _ in known}
    made = {m.key for f in files for m in mutants_of(f, (tool.ROOT / f).read_bytes())}
    assert set(known) <= made, set(known) - made
    assert all(len(reason) > 20 for reason in known.values())


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one C file and one test, which looks at f(1) alone."""
    (tmp_path / "f.c").write_bytes(b"int f(int a)\n{\n    return a * 1 + 0;\n}\n")
    (tmp_path / "test_f.py").write_text(
        "import ctypes, subprocess\n"
        "def test_f(tmp_path):\n"
        "    library = str(tmp_path / 'f.so')\n"
        "    subprocess.run(['gcc', '-shared', '-fPIC', 'f.c', '-o', library], check=True)\n"
        "    assert ctypes.CDLL(library).f(1) == 1\n"
    )
    (tmp_path / "accepted.toml").write_text("accepted = []\n")

    def copy(target: Path) -> None:
        shutil.copytree(tmp_path, target, dirs_exist_ok=True)
        (target / "mutant_settings.py").write_text(tool.PLUGIN)

    monkeypatch.setattr(tool, "copy_tree", copy)
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "ACCEPTED", (tmp_path / "accepted.toml",))
    return tmp_path


ARGUMENTS = ["f.c", "--tests", "test_f.py", "--processes", "1"]


def test_a_survivor_that_nobody_accepted_is_an_error(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(ARGUMENTS) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "survived f.c:3: return a * 1 + 0;  =>  return a / 1 + 0;" in lines
    assert "killed   f.c:3: return a * 1 + 0;  =>  return a * 2 + 0;" in lines
    assert "3 killed, 2 survived" in lines
    reasons = "".join(
        '[[accepted]]\nfile = "f.c"\nline = "return a * 1 + 0;"\n'
        f'becomes = "return {b};"\nreason = "the test asks for f(1) alone"\n'
        for b in ("a / 1 + 0", "a * 1 - 0")
    )
    (repository / "accepted.toml").write_text(reasons)
    assert main(ARGUMENTS) == 0
    assert main([*ARGUMENTS, "--all"]) == 0


def test_tests_that_fail_without_a_mutant_are_refused(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "test_f.py").write_text("def test_f():\n    assert False\n")
    assert main(ARGUMENTS) == 2
    assert "fail without a mutant" in capsys.readouterr().err


def test_a_mutant_that_never_ends_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "test_f.py").write_text("def test_f():\n    while True:\n        pass\n")
    (tmp_path / "mutant_settings.py").write_text("")
    assert tool.run_tests(tmp_path, ["test_f.py"], 2) == "timeout"


def test_lines_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    name = "firmware/infer/kernels/mean_s8.c"
    assert main([name, "--list", "--all", "--lines", "14"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith(f"{name}:14: ") for line in lines)


def test_each_folder_has_its_tests_and_those_of_the_same_name_are_first() -> None:
    assert tool.tests_of(["firmware/update/journal.c"]) == [
        "tests/update/test_journal.py",
        "tests/update",
    ]
    assert tool.tests_of(["firmware/mgmt/smp.c"]) == ["tests/mgmt/test_smp.py", "tests/mgmt"]
    assert tool.tests_of(["firmware/infer/kernels/mean_s8.c"])[0].startswith("tests/infer/")
    assert all((tool.ROOT / t.split("::")[0]).exists() for ts in tool.TESTS.values() for t in ts)


def test_what_is_the_same_for_all_mutants_is_built_once(tmp_path: Path) -> None:
    kept = ["third_party/a.c", "host/a.o"]
    for name in (*kept, "host/libx.so", "mps2/a.elf", "plan.bin"):
        path = tmp_path / "build" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    tool.clean(tmp_path)
    assert {p.relative_to(tmp_path / "build").as_posix() for p in tmp_path.rglob("*.*")} == {*kept}


def test_a_key_names_file_and_texts() -> None:
    assert Mutant("f.c", 3, "a;", "b;", 0, 1, "b").key == ("f.c", "a;", "b;")
