# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""From fetched samples to data sets for retraining: what the model was fed, as numbers.

Samples belong to the plan that they were an input of: it knows shape, scale and zero point. What a
device kept as a summary only (mean and deviation of each channel) is no input, and apart.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torpor.errors import ModelError, TorporError, UsageError
from torpor.model import from_codes
from torpor.monitor.sample_folder import Sample
from torpor.monitor.samples import RAW, SUMMARY
from torpor.paths import BUILD
from torpor.plan.layout import CONST
from torpor.plan.reader import Plan

NO_LABEL = -1
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Input:
    """How the first input of a plan is made, and the names of its classes.

    Attributes:
        shape: without the batch: [64, 1, 6].
        dtype: of its codes.
        scale: number = scale * (code - zero_point).
        zero_point: see scale.
        labels: names of the classes, () where the plan has none.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    labels: tuple[str, ...]


def read_input(plan: bytes) -> Input:
    """Return what a plan says about its first input.

    Raises:
        ModelError: it is no plan, or takes no codes of int8.
    """
    parsed = Plan.parse(plan)
    about = parsed.inputs[0]
    if about["type"] != CONST["PLAN_TYPE_INT8"]:
        raise ModelError(f"plan '{parsed.name}': only inputs of int8 are kept by devices")
    shape = tuple(about["dims"][1 : about["rank"]]) or tuple(about["dims"][:1])
    return Input(shape, "int8", about["scale"], about["zero_point"], parsed.labels)


def find_inputs(
    wanted: Iterable[int], given: Sequence[Path], build: Path = BUILD
) -> dict[int, Input]:
    """Return the inputs of plans by CRC, as far as they are found.

    Args:
        wanted: CRCs of plans.
        given: files of plans.
        build: folder with builds, whose plans are looked at too.

    Raises:
        ModelError: a given file cannot be read, or is no plan.
    """
    missing, found = set(wanted), {}
    for path in [*given, *sorted(build.glob("*/*/plan.bin"))]:
        content = _read(path, is_given=path in given)
        crc = zlib.crc32(content)
        if path in given or crc in missing:
            found[crc] = read_input(content)
            missing.discard(crc)
    return found


def _read(path: Path, *, is_given: bool) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        if is_given:
            raise ModelError(f"cannot read {path}: {error.strerror}") from None
        return b""


def export(samples: Iterable[Sample], inputs: dict[int, Input], folder: Path) -> dict[str, int]:
    """Write samples-CRC.npz and summaries-CRC.npz for each plan; return samples by file name.

    Raises:
        UsageError: no sample belongs to a known plan.
        TorporError: a sample has not as many bytes as its plan's input, or no file can be written.
    """
    groups: dict[tuple[int, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.entry.plan in inputs:
            groups[sample.entry.kind, sample.entry.plan].append(sample)
    if not groups:
        raise UsageError(
            "the plan of no sample is known", "--plan FILE: the plan.bin of the firmware or model"
        )
    written = {}
    for (kind, plan), members in sorted(groups.items()):
        name, arrays = _make(kind, plan, members, inputs[plan])
        _save(folder / name, arrays)
        written[name] = len(members)
    return written


def _make(kind: int, plan: int, members: list[Sample], about: Input) -> tuple[str, Arrays]:
    if kind == RAW:
        return f"samples-{plan:08x}.npz", _raw(members, about) | _common(members, plan, about)
    if kind == SUMMARY:
        return f"summaries-{plan:08x}.npz", _summaries(members, about) | _common(
            members, plan, about
        )
    raise TorporError(f"sample {members[0].entry.number} is of the unknown kind {kind}")


def _codes(members: list[Sample], shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Return int8 [n, *shape]."""
    size = int(np.prod(shape))
    for sample in members:
        if len(sample.entry.data) != size:
            raise TorporError(
                f"sample {sample.entry.number} has {len(sample.entry.data)} bytes, not {size}",
                "is its file as it was fetched?",
            )
    joined = b"".join(sample.entry.data for sample in members)
    return np.frombuffer(joined, np.int8).reshape(len(members), *shape)


def _raw(members: list[Sample], about: Input) -> Arrays:
    codes = _codes(members, about.shape)
    return {"inputs": from_codes(codes, about), "codes": codes}


def _summaries(members: list[Sample], about: Input) -> Arrays:
    """Return means and deviations, float32 [n, channels], in the units of the input."""
    channels = min(about.shape[-1], len(members[0].entry.data) // 2)
    codes = _codes(members, (channels, 2))
    return {
        "means": from_codes(codes[..., 0], about),
        "deviations": codes[..., 1].astype(np.float32) * np.float32(about.scale),
        "codes": codes,
    }


def _common(members: list[Sample], plan: int, about: Input) -> Arrays:
    names = about.labels or tuple(sorted({s.label for s in members if s.label}))
    numbers = [names.index(s.label) if s.label in names else NO_LABEL for s in members]
    entries = [sample.entry for sample in members]
    return {
        "labels": np.array([sample.label for sample in members], np.str_),
        "classes": np.array(numbers, np.int64),
        "class_names": np.array(names, np.str_),
        "best": np.array([e.best for e in entries], np.int64),
        "scores": np.array([e.score for e in entries], np.float32) / np.float32(255),
        "times": np.array([e.time for e in entries], np.int64),
        "numbers": np.array([e.number for e in entries], np.int64),
        "why": np.array([e.why for e in entries], np.int64),
        "plan_crc": np.array(plan, np.int64),
    }


def _save(path: Path, arrays: Arrays) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, allow_pickle=False, **arrays)
    except OSError as error:
        raise TorporError(f"cannot write {path}: {error.strerror}") from None
