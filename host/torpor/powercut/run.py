# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Goes through the states of all scenarios, in as many processes as there are cores."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from torpor.board import Board
from torpor.errors import UsageError, unknown_name
from torpor.paths import ENGINES, TORPOR
from torpor.powercut.geometry import Geometry, geometry
from torpor.powercut.images import FIRMWARE, ImageSpec, make
from torpor.powercut.library import proof_library
from torpor.powercut.plans import plan
from torpor.powercut.proof import Counts, Cut, Failure, Prepared, Proof, Range
from torpor.powercut.scenarios import Scenario, scenarios, spec_of

SMALL = 4096
"""Bytes of a firmware image at most where all pairs of cuts are tried."""

FACTORY_BYTES, FACTORY_ARENA = 512, 512
PIECES = 96
"""Into so many parts the states of a long scenario are divided."""


@dataclass(frozen=True)
class Settings:
    """What is proven.

    Attributes:
        board: whose flash it is.
        size: bytes of a firmware image.
        model_size: bytes of a model image.
        write: another write unit than the board's.
        erase: another erase block than the board's.
        seed: of all that is random.
        every: cuts are at every so manyth operation only, second ones accordingly.
        names: of scenarios; none: all.
        engine: what the firmware has, of ENGINES, unless a scenario changes it.
    """

    board: Board
    size: int = 65536
    model_size: int = 8192
    write: int | None = None
    erase: int | None = None
    seed: int = 1
    every: int = 1
    names: tuple[str, ...] = ()
    engine: str = TORPOR

    def geometry(self, scenario: Scenario | None = None) -> Geometry:
        """Return the flash, as small as a scenario wants it."""
        size, erase = self.size, self.erase
        if scenario is not None and scenario.small:
            size = min(size, SMALL)
        if scenario is not None and scenario.block:
            erase = scenario.block
        return geometry(self.board, size, self.model_size, write=self.write, erase=erase)


@dataclass
class Result:
    """What became of a scenario.

    Attributes:
        name: of it.
        operations: of the flash, without a cut.
        counts: of its states.
        seconds: that all processes took together.
    """

    name: str
    operations: int
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0


def wanted_scenarios(settings: Settings) -> list[Scenario]:
    """Return the scenarios that are meant.

    Raises:
        UsageError: there is no scenario of that name.
    """
    known = {scenario.name: scenario for scenario in scenarios(settings.geometry())}
    for name in settings.names:
        if name not in known:
            raise unknown_name("scenario", name, known)
    return [known[name] for name in settings.names or known]


def prepare(settings: Settings) -> list[Prepared]:
    """Return the scenarios with their images, which takes a tenth of a second for each image.

    Raises:
        UsageError: a scenario or a size that cannot be.
    """
    wanted = [(scenario, _keys(settings, scenario)) for scenario in wanted_scenarios(settings)]
    keys = list(dict.fromkeys(key for _, own in wanted for key in own))
    with ThreadPoolExecutor(multiprocessing.cpu_count()) as pool:
        made = dict(zip(keys, pool.map(lambda key: make(*key), keys), strict=True))
    factories = tuple(plan(FACTORY_ARENA, FACTORY_BYTES, 0, engine) for engine in ENGINES)
    return [
        Prepared(scenario, own[0][1], tuple(made[key] for key in own), factories)
        for scenario, own in wanted
    ]


def _keys(settings: Settings, scenario: Scenario) -> list[tuple[ImageSpec, Geometry, int]]:
    """Return what make() takes for each image of a scenario."""
    place = settings.geometry(scenario)
    firmware = min(settings.size, SMALL) if scenario.small else settings.size
    specs = [spec_of(name, settings.engine) for name in scenario.images]
    return [
        (spec, place, firmware if spec.component == FIRMWARE else settings.model_size)
        for spec in specs
    ]


# ---- one process

Piece = tuple[int, Range]
"""Number of a scenario, and states of it."""

Done = tuple[int, Range, Counts, float]
"""The same, what was counted, and the seconds that the process took."""


class _Worker:
    """Goes through pieces; the scenario that it did last stays open."""

    def __init__(self, library: Path, prepared: Sequence[Prepared]) -> None:
        self._library, self._prepared = library, prepared
        self._number = -1
        self._proof: Proof | None = None

    def close(self) -> None:
        if self._proof is not None:
            self._proof.close()
            self._proof = None

    def _opened(self, number: int) -> Proof:
        if self._proof is None or self._number != number:
            self.close()
            self._number, self._proof = number, Proof(self._library, self._prepared[number])
        return self._proof

    def do(self, number: int, wanted: Range) -> Done:
        begin = time.process_time()
        proof = self._opened(number)
        proof.forget()
        proof.run(wanted)
        return number, wanted, proof.counts(), time.process_time() - begin


_worker: _Worker | None = None  # of a process that was started for it


def _start(library: Path, prepared: Sequence[Prepared]) -> None:
    global _worker  # noqa: PLW0603 - a process has one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = _Worker(library, prepared)


def _end_with_parent() -> None:
    """Let no process stay behind when whoever has started it is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Give processes that are started now no Ctrl-C, from their first instruction on.

    A library's thread may take it instead of this one: it is noted, and counts at the end.
    """
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: noted.append(number))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, before)
    if noted:
        raise KeyboardInterrupt


def _do(number: int, wanted: Range) -> Done:
    assert _worker is not None
    return _worker.do(number, wanted)


# ---- all of them


class Campaign:
    """All states that are wanted.

    Args:
        settings: what is proven.

    Attributes:
        results: one for each scenario; complete after run().
        total: number of operations that are cut first.

    Raises:
        UsageError: a scenario or a size that cannot be.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._library = proof_library()
        self._prepared = prepare(settings)
        self.results = [_uncut(self._library, one) for one in self._prepared]
        self._pieces = [
            (number, wanted)
            for number, one in enumerate(self._prepared)
            for wanted in _pieces(settings, one.scenario, self.results[number].operations)
        ]
        # those of the most states first, so that in the end nobody waits for a long one
        self._pieces.sort(key=lambda piece: not self._prepared[piece[0]].scenario.small)
        self.total = sum(wanted.end - wanted.first for _, wanted in self._pieces)

    def run(self, processes: int, show: Callable[[int], None] = lambda _done: None) -> None:
        """Go through all states.

        Args:
            processes: how many work at the same time.
            show: called now and then with how many first operations are done.
        """
        done = 0
        for number, wanted, counts, seconds in _all(
            self._library, self._prepared, self._pieces, processes
        ):
            self.results[number].counts.add(counts)
            self.results[number].seconds += seconds
            done += wanted.end - wanted.first
            show(done)


def _uncut(library: Path, prepared: Prepared) -> Result:
    """Go through a scenario without a cut; if that fails, it is the one state that there is."""
    with Proof(library, prepared) as proof:
        operations = proof.operations()
        result = Result(prepared.scenario.name, operations, proof.counts())
    result.counts.states += result.counts.failing
    return result


def _pieces(settings: Settings, scenario: Scenario, operations: int) -> Iterator[Range]:
    step = max(1, operations // PIECES) if scenario.upload else max(1, operations // 4)
    for first in range(1, operations + 1, step):
        yield Range(
            first,
            min(first + step, operations + 1),
            settings.every,
            scenario.alone_gap * settings.every,
            scenario.client_gap * settings.every,
            settings.seed,
        )


def _all(
    library: Path, prepared: Sequence[Prepared], pieces: Sequence[Piece], processes: int
) -> Iterator[Done]:
    """Yield what becomes of each piece, in any order."""
    if processes == 1:
        with contextlib.closing(_Worker(library, prepared)) as worker:
            yield from (worker.do(*piece) for piece in pieces)
        return
    spawn = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(processes, spawn, _start, (library, prepared)) as pool:
        try:
            with _without_ctrl_c():
                futures = [pool.submit(_do, *piece) for piece in pieces]
            for future in as_completed(futures):
                yield future.result()
        except BaseException:  # nobody waits for the pieces that are being done
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def replay(settings: Settings, cuts: Sequence[Cut]) -> tuple[list[str], Failure | None]:
    """Go through one state of the one scenario that `settings` name.

    Returns:
        what happens, a line each, and what is wrong with it.

    Raises:
        UsageError: there is no such state.
    """
    (prepared,) = prepare(settings)
    with Proof(proof_library(), prepared) as proof:
        lines = proof.trace(cuts, settings.seed)
        counts = proof.counts()
    if not counts.states:
        raise UsageError(
            f"no state of {prepared.scenario.name} has the cuts {', '.join(map(str, cuts))}",
            "there are fewer operations from where power comes to the end",
        )
    return lines, counts.failures[0] if counts.failures else None
