# SPDX-License-Identifier: Apache-2.0
"""Runs damaged plans: whatever infer_check() accepts must be harmless.

As a program, under AddressSanitizer (see test_check.py): every number of every specimen is set to
many values, one at a time, and random bytes are changed. Prints what became of the plans.
"""

import sys
from collections import Counter
from collections.abc import Iterator

import numpy as np

from tests.support.plans import SPECIMENS, Field, fields_of
from torpor.engine import Engine, check
from torpor.errors import ModelError
from torpor.plan.layout import ffi
from torpor.plan.reader import Plan

MAX_ARENA = 1 << 16
"""Plans that want more are accepted as they should be, but not run here."""


def run_confined(plan: bytes, sanitizer: str, seed: int = 0) -> None:
    """Run an accepted plan; every operator may change nothing but its output and the states."""
    engine = Engine(plan, sanitizer=sanitizer)
    random = np.random.default_rng(seed)
    parsed = Plan.parse(plan)
    engine.arena[:] = random.integers(0, 256, len(engine.arena), np.uint8).tobytes()
    for i, op in enumerate(parsed.ops):
        before = np.frombuffer(engine.arena, np.uint8).copy()
        engine.step(i)
        changed = np.frombuffer(engine.arena, np.uint8) != before
        written = [s["tensor"] for s in parsed.states]
        for tensor in (*written, *([op.fields["y"]] if "y" in op.fields else ())):
            place = parsed.tensors[tensor]
            changed[place["offset"] : place["offset"] + place["bytes"]] = False
        assert not changed.any(), f"operator {i}"
    for label in engine.labels:
        assert label is not None
    assert engine.name is not None
    engine.invoke([np.zeros(i.shape, i.dtype) for i in engine.inputs])


def judge(plan: bytes, sanitizer: str, seed: int = 0) -> str:
    """Return the checker's word for the plan, after running it if it was accepted."""
    verdict = check(plan, sanitizer=sanitizer)
    if not verdict.ok:
        return verdict.name
    if ffi.from_buffer("plan_header_t *", plan).arena_bytes > MAX_ARENA:
        return "large"
    run_confined(plan, sanitizer, seed)
    return "ok"


def other_values(field: Field, plan: bytes) -> Iterator[int]:
    """Values that are worth trying for a field: near what it is, and at the ends of its type."""
    value, bits = field.get(plan), 8 * field.size
    yield from {
        *(value + d for d in (-16, -4, -2, -1, 1, 2, 4, 16)),
        *(value ^ 1 << b for b in range(bits)),
        *(value * 2, value // 2, -value),
        *(0, 1, 2, 31, 32, 127, 128, 255, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1),
    } - {value}


def every_single_change(plan: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (what was changed, plan) for each field and value."""
    for field in fields_of(plan):
        for value in other_values(field, plan):
            yield f"{field.label} = {value}", field.set(plan, value)


def random_changes(plan: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield plans with one to four random bytes changed."""
    random = np.random.default_rng(seed)
    for i in range(count):
        damaged = bytearray(plan)
        for place in random.integers(0, len(plan), random.integers(1, 5)):
            damaged[place] = random.integers(0, 256)
        yield f"seed {seed}, change {i}", bytes(damaged)


def hammer(name: str, sanitizer: str, count: int, seed: int) -> Counter[str]:
    """Try all changes of one specimen; return how often the checker said what."""
    plan = SPECIMENS[name]().build()
    said: Counter[str] = Counter()
    for changes in (every_single_change(plan), random_changes(plan, count, seed)):
        for what, damaged in changes:
            try:
                said[judge(damaged, sanitizer)] += 1
            except (AssertionError, ModelError) as error:
                raise AssertionError(f"{name}, {what}: {error}") from error
    return said


def main() -> None:
    """Hammer every specimen, or those named on the command line."""
    sanitizer, count, *names = sys.argv[1:]
    total: Counter[str] = Counter()
    for seed, name in enumerate(names or SPECIMENS):
        total += hammer(name, sanitizer, int(count), seed)
    print(" ".join(f"{word}={n}" for word, n in sorted(total.items())))


if __name__ == "__main__":
    main()
