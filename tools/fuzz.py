# SPDX-License-Identifier: Apache-2.0
"""Differential fuzzing: random small quantized models, our C against TensorFlow Lite Micro.

    python -m tools.fuzz --graphs 10000 --seed 1
    python -m tools.fuzz --seed 1 --first 4711 --graphs 1 --verbose     # that graph again

Each model is compiled, run four times in a row on the host with the sanitizer for undefined
behaviour, and compared byte for byte. Both run in forked processes, because TFLM can crash. A
failure is made smaller and written to build/fuzz as text; a copy of that file in
tests/vectors/fuzz keeps it as a test. The exit status is 1 if anything failed.
"""

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import tests.fuzz.operators  # noqa: F401 - registers the generators
from tests.fuzz.compare import MEANINGS, Outcome, crashed, examine
from tests.fuzz.draw import Draw, shrink
from tests.fuzz.graphs import numbered_graph, operator_names, redrawn_graph
from tests.fuzz.isolation import Died, Report, isolated
from tests.fuzz.vectors import to_text
from torpor.engine.library import infer_library
from torpor.paths import BUILD, ROOT

MAX_PROCESSES = 2
SHRINK_TRIES = 400
PROGRESS = 500
REASONS = 12
"""How many reasons of each kind are printed."""


@dataclass
class Summary:
    """What has been counted so far."""

    seed: int
    words: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    failures: list[tuple[int, Outcome]] = field(default_factory=list)
    varied: int = 0
    seconds: float = 0

    def add(self, number: int, outcome: Outcome) -> None:
        """Count one graph."""
        self.words[outcome.word] += 1
        self.varied += outcome.varied
        if outcome.failed:
            self.failures.append((number, outcome))
        elif outcome.word != "equal":
            self.reasons[outcome.word][outcome.detail] += 1

    def to_text(self) -> str:
        """Return the table that is printed at the end."""
        total = max(1, self.words.total())
        lines = [f"seed {self.seed}: {total} graphs in {self.seconds:.0f} s"]
        for word, meaning in MEANINGS.items():
            count = self.words[word]
            lines.append(f"{count:8} {count / total:7.1%}  {word} ({meaning})")
            found = self.reasons[word].most_common(REASONS)
            lines += [f"{n:16}  {reason}" for reason, n in found]
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return the same as JSON."""
        tree: dict[str, Any] = {
            "seed": self.seed,
            "graphs": self.words.total(),
            "seconds": round(self.seconds, 1),
            "outcomes": {word: self.words[word] for word in MEANINGS},
            "varied": self.varied,
            "reasons": {word: dict(found) for word, found in self.reasons.items()},
            "failures": [{"graph": n, "why": o.detail} for n, o in self.failures],
        }
        return json.dumps(tree, indent=2)


def run(seed: int, numbers: Sequence[int], processes: int, *, verbose: bool = False) -> Summary:
    """Examine the graphs of those numbers."""
    infer_library("undefined")

    def job(number: int, report: Report) -> Outcome:
        return examine(numbered_graph(seed, number), report)

    summary, begin = Summary(seed), time.monotonic()
    try:
        for number, result in isolated(job, numbers, processes=processes):
            outcome = crashed(result.phase, result.how) if isinstance(result, Died) else result
            summary.add(number, outcome)
            if outcome.failed or verbose:
                print(f"graph {number} of seed {seed}: {outcome.word} {outcome.detail}", flush=True)
            if summary.words.total() % PROGRESS == 0:
                print(f"{summary.words.total()} graphs", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    summary.seconds = time.monotonic() - begin
    return summary


def smallest(seed: int, number: int, outcome: Outcome, tries: int = SHRINK_TRIES) -> str:
    """Return a model that fails as graph `number` does, as small as can be found, as text."""
    draw = Draw.seeded(seed, number)
    numbered_graph(seed, number, draw)

    def fails(choices: list[int]) -> bool:
        def job(_number: int, report: Report) -> Outcome:
            return examine(redrawn_graph(number, Draw(choices=choices)), report)

        [(_, result)] = isolated(job, [0])
        found = crashed(result.phase, result.how) if isinstance(result, Died) else result
        return bool(found.word == outcome.word and _kind(found) == _kind(outcome))

    best = shrink(draw.choices, fails, tries, draw.starts)
    case = redrawn_graph(number, Draw(choices=best))
    return to_text(case, f"{outcome.word}: {outcome.detail}")


def _kind(outcome: Outcome) -> str:
    """Return what must stay the same while a failure is made smaller."""
    return outcome.detail.partition(":")[0] if outcome.word == "bug" else ""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--graphs", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices (default: 1)")
    parser.add_argument("--first", type=int, default=0, help="number of the first graph")
    parser.add_argument("--processes", type=int, default=2, choices=range(1, MAX_PROCESSES + 1))
    parser.add_argument("--no-shrink", action="store_true", help="do not make failures smaller")
    parser.add_argument("--verbose", action="store_true", help="print a line for each graph")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    return parser.parse_args(argv)


def _keep(seed: int, failures: Sequence[tuple[int, Outcome]]) -> None:
    folder = BUILD / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    for number, outcome in failures:
        path = folder / f"seed-{seed}-graph-{number}.json"
        path.write_text(smallest(seed, number, outcome), encoding="utf-8")
        print(f"graph {number}, made smaller: {path.relative_to(ROOT)}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Fuzz; return 1 if something failed."""
    arguments = _arguments(argv)
    numbers = range(arguments.first, arguments.first + arguments.graphs)
    print(f"{len(operator_names())} operators have a generator", file=sys.stderr)
    summary = run(arguments.seed, numbers, arguments.processes, verbose=arguments.verbose)
    print(summary.to_json() if arguments.json else summary.to_text())
    if not arguments.no_shrink:
        _keep(arguments.seed, summary.failures)
    return int(bool(summary.failures))


if __name__ == "__main__":
    sys.exit(main())
