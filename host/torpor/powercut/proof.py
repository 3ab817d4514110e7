# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""One scenario in the C library that goes through its states (proof.h)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from torpor.image.keys import development_key
from torpor.image.reasons import NUMBERS
from torpor.paths import ENGINES
from torpor.powercut.geometry import Geometry
from torpor.powercut.images import FIRMWARE, Image
from torpor.powercut.library import open_proof
from torpor.powercut.scenarios import KINDS, NATURES, Scenario

SHAPES = ("prefix", "random", "complete")
"""What the operation leaves behind that power fails in, in flash.h's order."""

FAILURES = ("", "bricked", "lost", "wrong", "stuck", "history", "rule")
"""What can be wrong with a state, in judge.h's order."""

CHUNK = 685
"""Bytes of a file in a message of the client: what SMP messages of 1 kB leave for it at least."""

_NO_IMAGE = 0xFF


@dataclass(frozen=True)
class Prepared:
    """A scenario with its images, ready to be sent to another process.

    Attributes:
        factories: the plan that is built into firmware with each of ENGINES.
    """

    scenario: Scenario
    geometry: Geometry
    images: tuple[Image, ...]
    factories: tuple[bytes, ...]


@dataclass(frozen=True)
class Cut:
    """Power fails in operation number `operation` since power came, with that shape."""

    operation: int
    shape: str

    def __str__(self) -> str:
        return f"{self.operation}:{self.shape}"


@dataclass(frozen=True)
class Range:
    """What states to go through: first cuts in [first, end), second ones in what comes then.

    Attributes:
        every: first cuts are at the first operation of the scenario, and every so manyth then.
        alone_gap: second cuts: one operation in so many of what the device does by itself; 1: every
            one, 0: none.
        client_gap: of what the client has it do then; 0 if alone_gap is.
        seed: of all that is random.
        only: this state and no other, if there are any cuts.
    """

    first: int
    end: int
    every: int = 1
    alone_gap: int = 0
    client_gap: int = 0
    seed: int = 1
    only: tuple[Cut, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A state that is not as it has to be."""

    kind: str
    what: str
    cuts: tuple[Cut, ...]


@dataclass
class Counts:
    """What has been counted.

    Attributes:
        states: all of them.
        torn: those in which a cut has left something half done.
        double: those with a second cut.
        failed: number of states by kind of failure.
        failures: the first ones.
    """

    states: int = 0
    torn: int = 0
    double: int = 0
    failed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAILURES[1:], 0))
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        """Count what another one has counted, too."""
        self.states += other.states
        self.torn += other.torn
        self.double += other.double
        for kind, count in other.failed.items():
            self.failed[kind] += count
        self.failures += other.failures

    @property
    def failing(self) -> int:
        """Number of states that are not as they have to be."""
        return sum(self.failed.values())


class Proof:
    """An open scenario; there is one at a time in a process. Use as a context manager.

    Args:
        library: what torpor.powercut.library.proof_library() has built.
        prepared: the scenario.
    """

    def __init__(self, library: Path, prepared: Prepared) -> None:
        self._ffi, self._lib = open_proof(library)
        self._kept: list[Any] = []  # what C has pointers to
        self._result = self._ffi.new("proof_result_t *")
        _fill(self._lib.scenario, prepared, self._bytes)
        memory = self._bytes(bytes(prepared.geometry.total))
        self._sound = bool(self._lib.proof_open(memory, self._result))

    def __enter__(self) -> "Proof":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free what it has; another one can be opened then."""
        self._lib.proof_close()

    def _bytes(self, content: bytes) -> Any:
        """Return a copy of `content` for C, aligned as a flash is."""
        box = self._ffi.new("uint8_t[]", len(content) + 16)
        start = -int(self._ffi.cast("uintptr_t", box)) % 16
        self._ffi.memmove(box + start, content, len(content))
        self._kept.append(box)
        return box + start

    def operations(self) -> int:
        """Return how many operations there are without a cut, 0 if that fails: see counts()."""
        return int(self._lib.proof_count(self._result)) if self._sound else 0

    def run(self, wanted: Range) -> None:
        """Go through states; counts() has the result."""
        box = self._ffi.new("proof_range_t *")
        box.first, box.end, box.seed = wanted.first, wanted.end, wanted.seed
        box.every = wanted.every
        box.alone_gap, box.client_gap = wanted.alone_gap, wanted.client_gap
        box.only = [(cut.operation, SHAPES.index(cut.shape)) for cut in wanted.only]
        box.only_count = len(wanted.only)
        self._lib.proof_run(box, self._result)

    def trace(self, cuts: Sequence[Cut], seed: int) -> list[str]:
        """Go through one state; return what happens, a line each."""
        self._lib.trace_wanted = True
        self._lib.trace_back(0)
        self.run(Range(0, 0, seed=seed, only=tuple(cuts)))
        self._lib.trace_wanted = False
        return self._text(self._lib.trace_text).splitlines()

    def remember(self, wanted: bool) -> None:
        """Compute each hash and signature every time (False), or once (True, at first)."""
        self._lib.remember_wanted = wanted

    def forget(self) -> None:
        """Begin to count anew."""
        self._result = self._ffi.new("proof_result_t *")

    def counts(self) -> Counts:
        """Return what has been counted."""
        result = self._result
        failed = dict(zip(FAILURES[1:], list(result.failed)[1:], strict=True))
        failures = [self._failure(result.failures[i]) for i in range(result.described)]
        return Counts(result.states, result.torn, result.doubles, failed, failures)

    def _failure(self, failure: Any) -> Failure:
        cuts = [failure.cuts[i] for i in range(failure.cut_count)]
        return Failure(
            FAILURES[failure.failure],
            self._text(failure.what),
            tuple(Cut(cut.operation, SHAPES[cut.shape]) for cut in cuts),
        )

    def _text(self, chars: Any) -> str:
        return bytes(self._ffi.string(chars)).decode()


def _fill(box: Any, prepared: Prepared, keep: Any) -> None:
    """Write `prepared` to a scenario_t. `keep` gives C a copy of bytes."""
    scenario, place, names = prepared.scenario, prepared.geometry, prepared.scenario.images
    layout, key = box.layout, development_key()
    layout.board = keep(place.board.encode() + b"\0")
    layout.erase_size, layout.write_size = place.erase, place.write
    layout.journal_block = place.journal_block
    layout.erase_step, layout.link = place.erase_step, place.links
    layout.journal = {"offset": 0, "size": place.journal}
    layout.slots = [
        {"offset": o, "size": s} for o, s in zip(place.offsets, place.sizes, strict=True)
    ]
    box.key = {"public_key": key.public, "hash": key.hash, "development": True}
    box.flash_bytes, box.chunk_bytes = place.total, CHUNK
    box.factories = [{"bytes": keep(plan), "length": len(plan)} for plan in prepared.factories]
    box.image_count = len(names)
    natures, refused = dict(scenario.natures), dict(scenario.refused)
    for number, (name, image) in enumerate(zip(names, prepared.images, strict=True)):
        into = box.images[number]
        into.bytes, into.length = keep(image.data), len(image.data)
        into.id, into.sha = image.id, image.sha
        into.counter, into.arena_bytes = image.spec.counter, image.spec.arena
        into.component, into.slot = image.spec.component, image.spec.slot
        into.engine = ENGINES.index(image.spec.engine)
        into.nature = NATURES.index(natures.get(name, "good"))
        into.refused = NUMBERS[refused[name]] if name in refused else 0
    steps = (*scenario.prepare, *scenario.steps)
    box.step_count, box.prepared = len(steps), len(scenario.prepare)
    for number, step in enumerate(steps):
        box.steps[number] = {
            "kind": KINDS.index(step.kind), "slot": step.slot,
            "careless": step.careless, "fickle": step.fickle,
            "image": names.index(step.image) if step.image else _NO_IMAGE, "number": step.number,
        }  # fmt: skip

    def number_of(name: str) -> int:
        return names.index(name) if name else _NO_IMAGE

    box.confirmed = [number_of(scenario.firmware), number_of(scenario.model)]
    instead = scenario.instead or scenario.firmware, scenario.instead_model or scenario.model
    box.instead = [number_of(name) for name in instead]
    assert FIRMWARE == 0
