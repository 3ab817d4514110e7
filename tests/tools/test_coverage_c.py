# SPDX-License-Identifier: Apache-2.0
"""The coverage of C is what gcov counts."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.coverage_c import (
    FOR_BOARDS,
    File,
    as_json,
    chosen,
    compiler,
    measure,
    merge,
    ranges,
    table,
)
from tools.coverage_c import ROOT as REPOSITORY

ROOT = Path("/repository")
REPORTS: list[dict[str, Any]] = [
    {
        "current_working_directory": "/repository/build",
        "files": [
            {
                "file": "/repository/firmware/infer/a.h",
                "lines": [
                    {"line_number": 3, "count": 0, "branches": []},
                    {"line_number": 5, "count": 2, "branches": [{"count": 2}, {"count": 0}]},
                    {"line_number": 6, "count": 0},
                ],
            },
            {"file": "/usr/include/string.h", "lines": [{"line_number": 1, "count": 9}]},
        ],
    },
    {
        "current_working_directory": "/repository",
        "files": [
            {
                "file": "firmware/infer/a.h",
                "lines": [
                    {"line_number": 5, "count": 1, "branches": [{"count": 0}, {"count": 0}]},
                    {"line_number": 6, "count": 4},
                ],
            }
        ],
    },
]
"""As gcov 12 writes them, shortened: a header that two objects contain."""


def test_counts_of_all_objects_are_added() -> None:
    file = merge(REPORTS, ROOT)["firmware/infer/a.h"]
    assert file.lines == {3: 0, 5: 3, 6: 4}
    assert file.branches == {(5, 2): [2, 0]}
    assert (file.unreached, file.one_way, file.ways) == ([3], [5], (1, 2))


def test_what_lies_outside_the_repository_does_not_count() -> None:
    assert list(merge(REPORTS, ROOT)) == ["firmware/infer/a.h"]


def test_a_branch_of_a_line_that_never_ran_is_not_one_sided() -> None:
    assert File({7: 0}, {(7, 2): [0, 0]}).one_way == []


def test_line_numbers_are_written_as_ranges() -> None:
    assert ranges([3, 4, 5, 9, 11, 12]) == "3-5 9 11-12"
    assert ranges([]) == ""


def test_a_source_that_nobody_builds_is_not_covered() -> None:
    files = chosen({})
    assert files["firmware/infer/check.c"].unreached == [1]
    assert files["firmware/app/serve/main.c"].unreached == [1]
    assert not any(name.startswith("firmware/port") for name in files)


def test_what_is_for_boards_alone_need_not_be_built() -> None:
    assert all((REPOSITORY / name).is_file() for name in FOR_BOARDS)
    assert not FOR_BOARDS & set(chosen({}))


def test_a_line_that_says_that_it_is_not_reached_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.cc").write_text("x();\nDELETE /* not reached: nobody does */\ny();\n")
    lines = [{"line_number": n, "count": 0} for n in (1, 2, 3)]
    report = {
        "current_working_directory": str(tmp_path),
        "files": [{"file": "a.cc", "lines": lines}],
    }
    assert merge([report], tmp_path)["a.cc"].unreached == [1, 3]


def test_the_table_has_a_row_for_each_file_and_folder() -> None:
    lines = table({"firmware/infer/a.h": merge(REPORTS, ROOT)["firmware/infer/a.h"]}).splitlines()
    assert lines[1].split() == ["firmware/infer/a.h", "2/3", "66.7", "1/2", "50.0", "3"]
    assert [line.split()[0] for line in lines[2:]] == ["firmware/infer"]
    assert lines[2].split()[1:] == ["2/3", "66.7", "1/2", "50.0"]


def test_the_same_as_json() -> None:
    found = json.loads(as_json(merge(REPORTS, ROOT)))
    assert found == {
        "firmware/infer/a.h": {
            "lines": 3,
            "unreached": [3],
            "branches": 2,
            "taken": 1,
            "one_way": [5],
        }
    }


SOURCE = """\
int one(int a);
int one(int a)
{
    if (a > 0) {
        return 1;
    }
    return 0;
}
"""
SECOND = "int two(void);\nint two(void)\n{\n    return 2;\n}\n"


def test_sources_of_the_same_name_are_counted_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("gcov") is None:
        pytest.skip("gcov is not installed (apt install gcc)")
    paths = [tmp_path / "x" / "same.c", tmp_path / "y" / "same.c"]
    for path, text in zip(paths, (SOURCE, SECOND), strict=True):
        path.parent.mkdir()
        path.write_text(text)
    objects = tmp_path / "objects"
    objects.mkdir()
    library = tmp_path / "lib.so"
    flags = ["-O2", "-fPIC", "-shared", "-fsanitize=undefined"]
    assert compiler(objects, [*flags, *map(str, paths), "-o", str(library)]) == 0
    script = f"import ctypes; ctypes.CDLL({str(library)!r}).one(5)"
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ)
    monkeypatch.setattr("tools.coverage_c.ROOT", tmp_path)
    monkeypatch.setattr(merge, "__defaults__", (tmp_path,))
    found = measure(objects)
    assert (found["x/same.c"].lines, found["y/same.c"].lines) == (
        {2: 1, 4: 1, 5: 1, 7: 0},
        {2: 0, 4: 0},
    )
    assert found["x/same.c"].one_way == [4]


def test_objects_count_wherever_they_are_put_but_not_those_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("gcov") is None:
        pytest.skip("gcov is not installed (apt install gcc)")
    objects, elsewhere = tmp_path / "objects", tmp_path / "elsewhere"
    objects.mkdir()
    elsewhere.mkdir()
    made = []
    for name, text, flags in (("ours", SOURCE, ["-Wall"]), ("theirs", SECOND, ["-w"])):
        source, made_one = tmp_path / f"{name}.c", elsewhere / f"{name}.o"
        source.write_text(text)
        assert compiler(objects, ["-fPIC", *flags, "-c", str(source), "-o", str(made_one)]) == 0
        made.append(str(made_one))
    library = tmp_path / "lib.so"
    assert compiler(objects, ["-shared", *made, "-o", str(library)]) == 0
    shutil.rmtree(elsewhere)
    script = f"import ctypes; ctypes.CDLL({str(library)!r}).one(5)"
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ)
    monkeypatch.setattr(merge, "__defaults__", (tmp_path,))
    found = measure(objects)
    assert found["ours.c"].unreached == [7]
    assert "theirs.c" not in found


def test_a_source_that_does_not_compile_is_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.c"
    bad.write_text("int f(void) { return x; }\n")
    assert compiler(tmp_path, ["-shared", str(bad), "-o", str(tmp_path / "bad.so")]) == 1
    assert "undeclared" in capfd.readouterr().err
