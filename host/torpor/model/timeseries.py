# SPDX-License-Identifier: Apache-2.0
"""Reads `.ts` files, the text format of the UEA/UCR time series archive. Pure: bytes in.

    # comment
    @problemName BasicMotions          header, any order, keys in any case
    @dimensions 6
    @classLabel true Standing Running
    @data
    0.1,0.2,...:1.0,1.1,...:Standing   one recording a line: dimensions, then its class

Read are files of equal length without time stamps or missing values; anything else is refused.
The format is described with the archive (Bagnall et al., "The UEA multivariate time series
classification archive, 2018").
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torpor.errors import ModelError

MUST_BE = {"timestamps": "false", "missing": "false", "equallength": "true"}


@dataclass(frozen=True)
class Recordings:
    """All recordings of one file."""

    values: NDArray[np.float32]
    """[recordings, dimensions, samples], in the units of the file."""
    classes: tuple[str, ...]
    """Class of each recording."""


def parse(content: bytes, where: str = "data") -> Recordings:
    """Return the recordings of a `.ts` file; `where` names it in errors.

    Raises:
        ModelError: not such a file, or one with features that are not read; names the line.
    """
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ModelError(f"{where}: not a text file ({error.reason})") from None
    header, first = _header(lines, where)
    _check_header(header, where)
    rows: list[NDArray[np.float32]] = []
    classes: list[str] = []
    for number, line in enumerate(lines[first:], first + 1):
        if line.strip() and not line.startswith("#"):
            row, label = _row(line.strip(), f"{where}, line {number}")
            _check_row(row, label, header, f"{where}, line {number}")
            if rows and row.shape != rows[0].shape:
                raise ModelError(
                    f"{where}, line {number}: {row.shape} values, before {rows[0].shape}"
                )
            rows.append(row)
            classes.append(label)
    if not rows:
        raise ModelError(f"{where}: no recordings")
    return Recordings(np.stack(rows), tuple(classes))


def _header(lines: list[str], where: str) -> tuple[dict[str, list[str]], int]:
    """Return {key: words} and the index of the first line after @data."""
    header: dict[str, list[str]] = {}
    for index, raw in enumerate(lines):
        line = raw.strip()
        if line.lower() == "@data":
            return header, index + 1
        if line.startswith("@"):
            key, *words = line[1:].split() or [""]
            header[key.lower()] = words
        elif line and not line.startswith("#"):
            raise ModelError(f"{where}, line {index + 1}: neither header nor comment before @data")
    raise ModelError(f"{where}: no @data line; not a .ts file, or truncated")


def _check_header(header: dict[str, list[str]], where: str) -> None:
    for key, value in MUST_BE.items():
        found = " ".join(header.get(key, [value])).lower()
        if found != value:
            raise ModelError(f"{where}: @{key} is {found}; only {value} is read")
    label = header.get("classlabel", [])
    if len(label) < 2 or label[0].lower() != "true":
        raise ModelError(f"{where}: no @classLabel with class names")


def _row(line: str, where: str) -> tuple[NDArray[np.float32], str]:
    *series, label = line.split(":")
    try:
        values = [[float(v) for v in one.split(",")] for one in series]
    except ValueError as error:
        raise ModelError(f"{where}: {error}") from None
    if not values or any(len(v) != len(values[0]) for v in values):
        raise ModelError(f"{where}: its dimensions have different lengths")
    with np.errstate(over="ignore"):
        row = np.array(values, np.float64).astype(np.float32)
    if not np.isfinite(row).all():
        raise ModelError(f"{where}: a value is not a finite number")
    return row, label


def _check_row(
    row: NDArray[np.float32], label: str, header: dict[str, list[str]], where: str
) -> None:
    if label not in header["classlabel"][1:]:
        raise ModelError(f"{where}: class '{label}' is not in @classLabel")
    expected = {
        "dimensions": header.get("dimensions", [str(row.shape[0])]),
        "serieslength": header.get("serieslength", [str(row.shape[1])]),
    }
    for (key, words), found in zip(expected.items(), row.shape, strict=True):
        if words != [str(found)]:
            raise ModelError(f"{where}: {found} instead of @{key} {' '.join(words)}")
