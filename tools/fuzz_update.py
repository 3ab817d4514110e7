# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Fuzzing of all that reads bytes from outside: images, journal, uploads, plans, SMP.

    python -m tools.fuzz_update --inputs 1000000 --seed 1
    python -m tools.fuzz_update --target upload --lines       # which lines of firmware/ it reaches
    python -m tools.fuzz_update --replay build/fuzz_update/upload-seed-1.txt

The targets are in tests/fuzz_update: the device's C with the sanitizers for addresses and undefined
behaviour, on simulated flash. Inputs are made of seeds by random changes, the same ones for the
same seed and program; what reaches new code is kept and changed further. An input that does what
must not happen is made smaller and written to build/fuzz_update as text, with what is wrong; that
file is what --replay takes. The exit status is 1 if there was one. --libfuzzer lets clang's own
fuzzer make the inputs, if clang is installed.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fuzz.draw import shrink
from tests.fuzz_update.build import Target, build, build_counting, build_libfuzzer, targets
from tests.fuzz_update.seeds import SEEDS, from_text, to_text
from tools.coverage_c import File, measure, table
from torpor.errors import MissingToolError, TorporError, UsageError, unknown_name
from torpor.paths import BUILD, ROOT

MAX_PROCESSES = 2
SHRINK_TRIES = 600
FINDS = "fuzz_update"
"""Folder in build/ for finds."""


@dataclass
class Result:
    """What became of a target.

    Attributes:
        inputs: how many ran.
        edges: ways from one basic block to the next that were taken.
        kept: seeds, and inputs that took a new one.
        outcomes: how often what has happened.
        find: the input that did what must not happen, or None.
        wrong: what that was.
    """

    target: str
    inputs: int = 0
    seconds: float = 0
    edges: int = 0
    kept: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    find: bytes | None = None
    wrong: str = ""


def run(target: Target, inputs: int, seed: int, keep: Path | None = None) -> Result:
    """Fuzz a target.

    Args:
        keep: where to write the inputs that have reached new code, a line each.
    """
    program = build(target)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        seeds, crash = Path(name) / "seeds", Path(name) / "crash"
        seeds.write_text("".join(f"{s.hex()}\n" for s in SEEDS[target.name]().values()))
        command = [str(program), "--seeds", str(seeds), "--inputs", str(inputs)]
        command += ["--seed", str(seed), "--crash", str(crash)]
        command += ["--keep", str(keep)] if keep else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return Result(target.name, **json.loads(done.stdout))
        if not crash.exists():
            raise RuntimeError(f"{program} failed:\n{done.stderr}")
        find = from_text(crash.read_text())
    return Result(target.name, find=find, wrong=what_is_wrong(done.stderr))


def what_is_wrong(stderr: str) -> str:
    """Return the line of a failed target's talk that says what is wrong, without addresses."""
    for line in stderr.splitlines():
        for pattern in (r"wrong: (.*)", r"(\S+ runtime error: .*)", r"(hangs: .*)",
                        r"==\d+==ERROR: (AddressSanitizer: \S+)"):  # fmt: skip
            if found := re.match(pattern, line):
                return found[1]
    return "it ended without a word"


def replay(target: Target, find: bytes) -> tuple[str, str]:
    """Run one input; return (what is wrong or "", all that it says)."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        path = Path(name) / "input"
        path.write_text(to_text(find))
        command = [str(build(target)), "--replay", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    wrong = what_is_wrong(done.stderr) if done.returncode else ""
    return wrong, done.stdout + done.stderr


def smallest(target: Target, find: bytes) -> bytes:
    """Return an input with the same mistake, as small as can be found."""
    wrong = replay(target, find)[0]

    def fails(choices: list[int]) -> bool:
        return replay(target, bytes(choices))[0] == wrong

    return bytes(shrink(list(find), fails, SHRINK_TRIES))


def write_find(result: Result, seed: int) -> Path:
    """Write a find as text, with the command that replays it; return the file."""
    assert result.find is not None
    folder = BUILD / FINDS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.target}-seed-{seed}.txt"
    command = f"python -m tools.fuzz_update --replay {path.relative_to(ROOT)}"
    comments = (f"target: {result.target}", f"wrong: {result.wrong}", command)
    path.write_text(to_text(result.find, *comments), encoding="utf-8")
    return path


def read_find(path: Path) -> tuple[Target, bytes]:
    """Return the target and the input of a file that write_find() has written.

    Raises:
        UsageError: it is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = re.search(r"^# target: (\S+)$", text, re.M)
        find = from_text(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    if found is None:
        raise UsageError(f"{path} does not say its target", 'a line "# target: upload"')
    return named(found[1]), find


def named(name: str) -> Target:
    """Return a target by name.

    Raises:
        UsageError: there is no such target.
    """
    known = targets()
    if name not in known:
        raise unknown_name("target", name, known)
    return known[name]


def lines_reached(chosen: Sequence[Target], kept: Path) -> dict[str, File]:
    """Return which lines of firmware/ the kept inputs of targets reach, as gcov counts them.

    Args:
        kept: folder with a file of inputs for each target.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        for target in chosen:
            folder = Path(name) / target.name
            folder.mkdir()
            program = build_counting(target, folder)
            command = [str(program), "--seeds", str(kept / target.name), "--inputs", "0"]
            subprocess.run(command, check=True, capture_output=True)
        found = measure(Path(name))
    folders = tuple(f"firmware/{folder}/" for target in chosen for folder in target.folders)
    return {path: file for path, file in sorted(found.items()) if path.startswith(folders)}


def to_table(results: Sequence[Result], seed: int) -> str:
    """Return the table that is printed at the end."""
    lines = [f"{'seed ' + str(seed):<12} inputs  seconds  a second   edges    kept"]
    for r in results:
        rate = r.inputs / max(r.seconds, 0.1)
        row = f"{r.inputs:10,} {r.seconds:8.1f} {rate:9,.0f} {r.edges:7,} {r.kept:7,}"
        lines.append(f"{r.target:<8}{row}" if r.find is None else f"{r.target:<8} {r.wrong}")
    for r in results:
        counts = sorted(r.outcomes.items(), key=lambda item: -item[1])
        lines.append(f"{r.target}: " + ", ".join(f"{word} {n:,}" for word, n in counts))
    return "\n".join(lines)


def run_libfuzzer(target: Target, inputs: int, seed: int) -> int:
    """Let clang's fuzzer make the inputs; return its exit status.

    Raises:
        MissingToolError: there is no clang.
    """
    clang = shutil.which("clang")
    if clang is None:
        raise MissingToolError("no clang found", "apt install clang, or leave --libfuzzer out")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder, corpus = Path(name), Path(name) / "corpus"
        corpus.mkdir()
        for key, content in SEEDS[target.name]().items():
            (corpus / key.replace(" ", "-")).write_bytes(content)
        program = build_libfuzzer(target, folder, clang)
        command = [str(program), f"-runs={inputs}", f"-seed={seed}", "-max_len=8192", "-timeout=60"]
        return subprocess.run([*command, str(corpus)], cwd=folder, check=False).returncode


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz_update", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target (100000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random changes (default: 1)")
    parser.add_argument("--target", action="append", help=f"of {', '.join(targets())}; all of them")
    parser.add_argument("--processes", type=int, default=2, choices=range(1, MAX_PROCESSES + 1))
    parser.add_argument("--lines", action="store_true", help="count the lines that are reached")
    parser.add_argument("--no-shrink", action="store_true", help="do not make finds smaller")
    parser.add_argument("--replay", type=Path, help="run one input, and say what happens")
    parser.add_argument("--libfuzzer", action="store_true", help="let clang's fuzzer do it")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    return parser.parse_args(argv)


def _replay(path: Path) -> int:
    target, find = read_find(path)
    wrong, talk = replay(target, find)
    print(talk, end="")
    return int(bool(wrong))


def _report(results: Sequence[Result], arguments: argparse.Namespace) -> None:
    if arguments.json:
        rows = [{**asdict(r), "find": r.find and r.find.hex()} for r in results]
        print(json.dumps({"seed": arguments.seed, "targets": rows}, indent=2))
    else:
        print(to_table(results, arguments.seed))
    for result in results:
        if result.find is not None:
            if not arguments.no_shrink:
                result.find = smallest(named(result.target), result.find)
            path = write_find(result, arguments.seed)
            print(path.read_text(), end="", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz; return 1 if something was found."""
    arguments = _arguments(argv)
    if arguments.replay is not None:
        return _replay(arguments.replay)
    chosen = [named(name) for name in arguments.target or targets()]
    if arguments.libfuzzer:
        return max(run_libfuzzer(t, arguments.inputs, arguments.seed) for t in chosen)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:

        def job(target: Target) -> Result:
            return run(target, arguments.inputs, arguments.seed, Path(name) / target.name)

        with ThreadPoolExecutor(arguments.processes) as pool:
            results = list(pool.map(job, chosen))
        _report(results, arguments)
        if arguments.lines:
            sound = [t for t, r in zip(chosen, results, strict=True) if r.find is None]
            print(table(lines_reached(sound, Path(name))))
    return int(any(r.find is not None for r in results))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TorporError as error:
        print(f"{error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        sys.exit(error.exit_code)
