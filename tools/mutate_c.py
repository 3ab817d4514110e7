# SPDX-License-Identifier: Apache-2.0
"""Mutation test of C sources: makes one small change at a time and looks whether a test notices.

    python tools/mutate_c.py firmware/infer/kernels/softmax_s8.c [--tests tests/infer]
    python tools/mutate_c.py firmware/update/journal.c

Each mutant is built and tested in a copy of the repository under a temporary folder, by the tests
of its folder (TESTS). Mutants that survive must be in a list of accepted ones (ACCEPTED), each with
its reason; any other survivor makes the exit status 1. Lists are matched by the text of the line,
so that they outlive moved lines.
"""

import argparse
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import tree_sitter_c
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).resolve().parents[1]
ACCEPTED = tuple(
    ROOT / "tests" / name / "mutants.toml" for name in ("infer", "update", "duty", "stats")
)
TESTS = {
    "firmware/update/": ("tests/update",),
    "firmware/mgmt/": ("tests/mgmt",),
    "firmware/wire/": ("tests/firmware",),
    "firmware/duty/": ("tests/duty",),
    "firmware/stats/": ("tests/stats",),
    "": (
        "tests/infer/test_arithmetic.py",
        "tests/infer/test_softmax.py",
        "tests/infer/test_kernels.py",
        "tests/infer/test_check.py::test_nothing_is_written_around_the_tensors",
    ),
}
"""What tests the files of a folder; kernels without the reference, and therefore fast."""
MAX_PROCESSES = 2
SWAPS = {
    **{"+": "-", "-": "+", "*": "/", "/": "*", "<<": ">>", ">>": "<<"},
    **{"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    **{"&&": "||", "||": "&&", "+=": "-=", "-=": "+=", "*=": "/=", "<<=": ">>=", ">>=": "<<="},
}
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)")
DROPPED = "(dropped)"
PLUGIN = """\
from hypothesis import Phase, settings

settings.register_profile(
    "mutants", phases=[Phase.explicit, Phase.generate], derandomize=True, database=None
)
settings.load_profile("mutants")
"""
"""A pytest plugin: the same examples for each mutant, and no time spent on small ones."""


@dataclass(frozen=True)
class Mutant:
    """One change: bytes start .. end - 1 of a file become `new`."""

    file: str
    number: int
    line: str
    becomes: str
    start: int
    end: int
    new: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What the list of accepted mutants names it by."""
        return self.file, self.line, self.becomes

    def apply(self, source: bytes) -> bytes:
        """Return the changed source."""
        return source[: self.start] + self.new.encode() + source[self.end :]


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: "killed", "timeout", "build" (does not compile) or "survived"."""

    mutant: Mutant
    word: str


def _swap_operator(node: Node) -> Iterator[tuple[Node, str]]:
    operator = node.child_by_field_name("operator")
    if operator is not None and operator.type in SWAPS:
        yield operator, SWAPS[operator.type]


def _shift_number(node: Node) -> Iterator[tuple[Node, str]]:
    found = NUMBER.fullmatch((node.text or b"").decode().strip())
    if found:
        value = int(found[1], 0)
        yield from ((node, f"{value + d}{found[2]}") for d in (1, -1) if value + d >= 0)


def _swap_update(node: Node) -> Iterator[tuple[Node, str]]:
    operator = node.child_by_field_name("operator")
    if operator is not None:
        yield operator, {"++": "--", "--": "++"}[operator.type]


def _drop(node: Node) -> Iterator[tuple[Node, str]]:
    yield node, ";"


OPERATORS: dict[str, Callable[[Node], Iterator[tuple[Node, str]]]] = {
    "binary_expression": _swap_operator,
    "assignment_expression": _swap_operator,
    "update_expression": _swap_update,
    "number_literal": _shift_number,
    "preproc_arg": _shift_number,
    "expression_statement": _drop,
}
"""Changes by type of syntax node."""


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        if child.type != "comment" and not (child.text or b"").startswith(b"_Static_assert"):
            yield from _walk(child)


def mutants_of(file: str, source: bytes) -> list[Mutant]:
    """Return all mutants of a C source, in its order."""
    tree = Parser(Language(tree_sitter_c.language())).parse(source)
    found = []
    for node in _walk(tree.root_node):
        if node.type in OPERATORS:
            changes = OPERATORS[node.type](node)
            found += [_mutant(file, source, place, new) for place, new in changes]
    return found


def _mutant(file: str, source: bytes, place: Node, new: str) -> Mutant:
    start, end = place.start_byte, place.end_byte
    if place.type == "preproc_arg":
        text = source[start:end]
        start, end = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
    first = source.rfind(b"\n", 0, start) + 1
    last = source.find(b"\n", start)
    line = " ".join(source[first:last].decode().split())
    changed = (source[first:start] + new.encode() + source[end : max(end, last)]).decode()
    becomes = DROPPED if new == ";" else " ".join(changed.split())
    return Mutant(file, place.start_point[0] + 1, line, becomes, start, end, new)


def tests_of(files: Sequence[str]) -> list[str]:
    """Return what pytest gets for these sources: first the tests that are named like them."""
    folders = [next(f for f in TESTS if file.startswith(f)) for file in files]
    found = [test for folder in folders for test in TESTS[folder]]
    own = [f"{test}/test_{Path(file).stem}.py" for file in files for test in found]
    return list(dict.fromkeys([*(test for test in own if (ROOT / test).exists()), *found]))


def copy_tree(target: Path) -> None:
    """Copy what git knows of the repository, and what it would add; what is installed is linked."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    for name in names.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    (target / ".venv").symlink_to(ROOT / ".venv")
    (target / "mutant_settings.py").write_text(PLUGIN, encoding="utf-8")


def clean(tree: Path) -> None:
    """Remove what a mutant was built to, but not what is the same for all: third-party C."""
    for path in (*(tree / "build").glob("*"), *(tree / "build" / "host").glob("lib*")):
        if path.is_dir() and path.name not in ("third_party", "host"):
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


def run_tests(tree: Path, tests: Sequence[str], timeout: float) -> str:
    """Run pytest in a copy; return "survived" if it passes, else how it failed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:randomly"]
    command += ["-p", "no:cacheprovider", "-p", "mutant_settings", *tests]
    path = os.pathsep.join(str(tree / part) for part in (".", "host", "site_scons"))
    with subprocess.Popen(
        command,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output = process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return "timeout"
    if process.returncode == 0:
        return "survived"
    return "build" if b": error: " in output else "killed"


def _work(
    todo: "queue.SimpleQueue[Mutant]",
    done: "queue.SimpleQueue[Outcome]",
    tests: Sequence[str],
    timeout: float,
) -> None:
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        while True:
            try:
                mutant = todo.get_nowait()
            except queue.Empty:
                return
            original = (tree / mutant.file).read_bytes()
            (tree / mutant.file).write_bytes(mutant.apply(original))
            done.put(Outcome(mutant, run_tests(tree, tests, timeout)))
            (tree / mutant.file).write_bytes(original)
            clean(tree)


def try_all(
    mutants: Sequence[Mutant], tests: Sequence[str], timeout: float, processes: int
) -> Iterator[Outcome]:
    """Yield the outcome of each mutant as it is known."""
    todo: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    for mutant in mutants:
        todo.put(mutant)
    workers = [
        threading.Thread(target=_work, args=(todo, done, tests, timeout)) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    for _ in mutants:
        yield done.get()
    for worker in workers:
        worker.join()


def accepted(paths: Sequence[Path]) -> dict[tuple[str, str, str], str]:
    """Return the reasons of lists of accepted mutants by Mutant.key."""
    texts = [path.read_text(encoding="utf-8") for path in paths]
    entries = [entry for text in texts for entry in tomllib.loads(text)["accepted"]]
    return {(e["file"], e["line"], e["becomes"]): e["reason"] for e in entries}


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", help="C sources, relative to the repository")
    parser.add_argument("--tests", nargs="+", help="what pytest gets (see TESTS)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for each mutant")
    parser.add_argument("--processes", type=int, default=2, choices=range(1, MAX_PROCESSES + 1))
    parser.add_argument("--lines", default="", help="only mutants of these lines: 10-20")
    parser.add_argument("--all", action="store_true", help="also try mutants that are accepted")
    parser.add_argument("--list", action="store_true", help="print the mutants, run nothing")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser.parse_args(argv)


def _chosen(arguments: argparse.Namespace, known: dict[tuple[str, str, str], str]) -> list[Mutant]:
    first, _, last = arguments.lines.partition("-")
    lines = range(int(first or 1), int(last or first or sys.maxsize) + 1)
    found = [m for f in arguments.files for m in mutants_of(f, (ROOT / f).read_bytes())]
    return [m for m in found if m.number in lines and (arguments.all or m.key not in known)]


def _describe(mutant: Mutant) -> str:
    return f"{mutant.file}:{mutant.number}: {mutant.line}  =>  {mutant.becomes}"


def main(argv: Sequence[str] | None = None) -> int:
    """Try the mutants; return 1 if one survived that is not accepted."""
    arguments = _arguments(argv)
    known = accepted(ACCEPTED)
    mutants = _chosen(arguments, known)
    tests = arguments.tests or tests_of(arguments.files)
    if arguments.list:
        print("\n".join(map(_describe, mutants)))
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy_tree(Path(folder))
        if run_tests(Path(folder), tests, arguments.timeout) != "survived":
            print("the tests fail without a mutant, or take too long", file=sys.stderr)
            return 2
    outcomes = []
    for outcome in try_all(mutants, tests, arguments.timeout, arguments.processes):
        outcomes.append(outcome)
        if not arguments.json:
            print(f"{outcome.word:8} {_describe(outcome.mutant)}", flush=True)
    return _report(outcomes, known, as_json=arguments.json)


def _report(
    outcomes: Sequence[Outcome], known: dict[tuple[str, str, str], str], *, as_json: bool
) -> int:
    survivors = [o.mutant for o in outcomes if o.word == "survived"]
    unknown = [m for m in survivors if m.key not in known]
    counts = Counter(o.word for o in outcomes)
    if as_json:
        rows = [{**asdict(o.mutant), "outcome": o.word} for o in outcomes]
        print(json.dumps({"counts": counts, "mutants": rows}, indent=2))
    else:
        print(", ".join(f"{n} {word}" for word, n in sorted(counts.items())) or "no mutants")
        print("\n".join(f"not accepted: {_describe(m)}" for m in unknown))
    return int(bool(unknown))


if __name__ == "__main__":
    sys.exit(main())
