# SPDX-License-Identifier: Apache-2.0
"""Measures which lines and branches of the portable C the tests reach, with gcov.

    python tools/coverage_c.py [--json] [tests ...]

The tests build their libraries as always, but with this file's compiler(): it leaves sanitizers
out and instruments each source. A line of firmware/infer, firmware/update or firmware/duty that is
not reached is an error.
"""

import argparse
import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests/infer", "tests/tflm", "tests/firmware", "tests/update", "tests/mgmt", "tests/duty")
FOLDERS = tuple(f"firmware/{f}" for f in ("infer", "core", "wire", "app", "update", "mgmt", "duty"))
REQUIRED = ("firmware/infer/", "firmware/update/", "firmware/duty/")
FOR_BOARDS = {"firmware/infer/tflm/runtime.cc"}
"""What no process is made of: one has a C++ runtime."""

NOT_REACHED = "/* not reached: "
"""In a line with its reason, where a language wants code that never runs."""

FLAGS = ("--coverage", "-O0", "-fno-sanitize=all", "-Dalways_inline=unused")
"""Without inlining, a line is counted once however often its function is used."""


@dataclass
class File:
    """How often each line of a source ran, and each way out of its branches.

    Attributes:
        lines: executions by line number.
        branches: executions by (line number, number of ways of that line).
    """

    lines: dict[int, int] = field(default_factory=dict)
    branches: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def add(self, line: dict[str, Any]) -> None:
        """Add one entry of "lines" of gcov's JSON; a line has one for each object it is in."""
        number, ways = line["line_number"], [b["count"] for b in line.get("branches", ())]
        self.lines[number] = self.lines.get(number, 0) + line["count"]
        if ways:
            key = (number, len(ways))
            so_far = self.branches.get(key, [0] * len(ways))
            self.branches[key] = [a + b for a, b in zip(so_far, ways, strict=True)]

    @property
    def unreached(self) -> list[int]:
        """Lines that never ran."""
        return sorted(number for number, count in self.lines.items() if count == 0)

    @property
    def one_way(self) -> list[int]:
        """Lines that ran, but not all ways out of their branches."""
        found = {key[0] for key, ways in self.branches.items() if 0 in ways}
        return sorted(number for number in found if self.lines[number])

    @property
    def ways(self) -> tuple[int, int]:
        """Ways taken out of branches, and all there are."""
        counts = [count for ways in self.branches.values() for count in ways]
        return sum(1 for count in counts if count), len(counts)


def merge(reports: Iterable[dict[str, Any]], root: Path = ROOT) -> dict[str, File]:
    """Return what gcov's JSON reports say of the files below `root`, by their path from there."""
    found: dict[str, File] = {}
    for report in reports:
        for entry in report["files"]:
            path = Path(report["current_working_directory"], entry["file"])
            if path.is_relative_to(root):
                file = found.setdefault(path.relative_to(root).as_posix(), File())
                never = _never_reached(path)
                for line in entry["lines"]:
                    if line["line_number"] not in never:
                        file.add(line)
    return found


@functools.cache
def _never_reached(path: Path) -> frozenset[int]:
    """Return the lines that say of themselves that they are not reached."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return frozenset(n for n, line in enumerate(lines, 1) if NOT_REACHED in line)


def compiler(objects: Path, arguments: Sequence[str]) -> int:
    """Run gcc, instrumented: one object a source, so that same names do not meet.

    What counts for an object stays in `objects`, wherever the object itself goes. C that is
    compiled without warnings is not ours and not counted.

    Returns:
        gcc's exit status.
    """
    sources = [a for a in arguments if a.endswith((".c", ".cc"))]
    if "-c" in arguments and "-w" in arguments:
        return subprocess.run(["gcc", *arguments], check=False).returncode
    target = arguments.index("-o")
    rest = [a for a in [*arguments[:target], *arguments[target + 2 :]] if a not in sources]
    folder = Path(tempfile.mkdtemp(dir=objects))
    made = []
    for number, source in enumerate(sources):
        made.append(str(folder / f"{number}-{Path(source).stem}.o"))
        options = [a for a in rest if a not in ("-shared", "-c") and not a.endswith(".o")]
        command = ["gcc", *options, *FLAGS, "-c", source, "-o", made[-1]]
        if subprocess.run(command, check=False).returncode != 0:
            return 1
    if "-c" in arguments:
        shutil.copyfile(made[0], arguments[target + 1])
        return 0
    link = ["gcc", *rest, *made, *FLAGS, "-o", arguments[target + 1]]
    return subprocess.run(link, check=False).returncode


def run_tests(folder: Path, tests: Sequence[str]) -> int:
    """Run pytest with the instrumenting compiler; its objects and counts go to `folder`."""
    objects, wrapper = folder / "objects", folder / "gcc"
    objects.mkdir()
    command = [sys.executable, str(Path(__file__).resolve()), "--compile", str(objects)]
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    environment = {"CC": str(wrapper), "TORPOR_HOST_CACHE": str(folder / "host")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=sys.stderr,
        check=False,
    ).returncode


def measure(folder: Path) -> dict[str, File]:
    """Return the counts of all objects below `folder`."""
    counted = [p for p in sorted(folder.rglob("*.gcno")) if p.with_suffix(".gcda").exists()]
    output = subprocess.run(
        ["gcov", "--json-format", "--stdout", "--branch-probabilities", *map(str, counted)],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return merge(json.loads(line) for line in output.splitlines() if line.startswith("{"))


def chosen(files: dict[str, File]) -> dict[str, File]:
    """Return the files of FOLDERS; a source that no test builds has its first line unreached."""
    sources = [p for f in FOLDERS for s in ("*.c", "*.cc") for p in (ROOT / f).rglob(s)]
    names = {p.relative_to(ROOT).as_posix() for p in sources} - FOR_BOARDS
    unbuilt = {name: File({1: 0}) for name in names}
    kept = {name: file for name, file in files.items() if name.startswith(FOLDERS)}
    return dict(sorted({**unbuilt, **kept}.items()))


def ranges(numbers: Sequence[int]) -> str:
    """Return line numbers as text: 3-5 9."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    return " ".join(f"{f[0]}-{f[-1]}" if len(f) > 1 else str(f[0]) for f in found)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _row(name: str, file: File) -> list[str]:
    lines, missed, (taken, ways) = len(file.lines), len(file.unreached), file.ways
    counts = [f"{lines - missed}/{lines}", _percent(lines - missed, lines)]
    return [name, *counts, f"{taken}/{ways}", _percent(taken, ways), ranges(file.unreached)]


def _total(files: Iterable[File]) -> File:
    total = File()
    for number, file in enumerate(files):
        base = number * 1_000_000
        total.lines.update({base + n: c for n, c in file.lines.items()})
        total.branches.update({(base + n, k): w for (n, k), w in file.branches.items()})
    return total


def table(files: dict[str, File]) -> str:
    """Return the table: a row for each file, then one for each folder."""
    rows = [["file", "lines", "%", "branches", "%", "unreached"]]
    rows += [_row(name, file) for name, file in files.items()]
    for folder in FOLDERS:
        inside = [f for name, f in files.items() if name.startswith(folder + "/")]
        rows += [[*_row(folder, _total(inside))[:5], ""]] if inside else []
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return "\n".join(_padded(row, widths) for row in rows)


def _padded(row: Sequence[str], widths: Sequence[int]) -> str:
    numbers = "  ".join(f"{row[i]:>{widths[i]}}" for i in range(1, 5))
    return f"{row[0]:<{widths[0]}}  {numbers}  {row[5]}".rstrip()


def as_json(files: dict[str, File]) -> str:
    """Return the same as JSON."""
    rows = {
        name: {
            "lines": len(file.lines),
            "unreached": file.unreached,
            "branches": file.ways[1],
            "taken": file.ways[0],
            "one_way": file.one_way,
        }
        for name, file in files.items()
    }
    return json.dumps(rows, indent=2)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and report; return 1 if a test fails or a required line is not reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tests", nargs="*", default=TESTS, help="what pytest gets")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="coverage-") as folder:
        failed = run_tests(Path(folder), arguments.tests) != 0
        files = chosen(measure(Path(folder)))
    print(as_json(files) if arguments.json else table(files))
    missed = {n: f.unreached for n, f in files.items() if n.startswith(REQUIRED) and f.unreached}
    for name, lines in missed.items():
        print(f"not reached: {name}: {ranges(lines)}", file=sys.stderr)
    return int(failed or bool(missed))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compile"]:
        sys.exit(compiler(Path(sys.argv[2]), sys.argv[3:]))
    sys.exit(main())
