# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""A folder with fetched samples: samples.csv, a row each, and a file of bytes each.

People may look at it and write labels into the table; what is there is never overwritten.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torpor.errors import TorporError, UsageError, unknown_name
from torpor.monitor.samples import ABOUT
from torpor.stats.store import Entry

TABLE = "samples.csv"
COLUMNS = (*ABOUT, "label", "file")


@dataclass(frozen=True)
class Sample:
    """A fetched sample, and what somebody says that it is.

    Attributes:
        entry: as the device kept it.
        label: name of a class, "" while nobody has said.
    """

    entry: Entry
    label: str = ""


def read_folder(folder: Path) -> list[Sample]:
    """Return the samples in a folder, by number; none where it does not exist.

    Raises:
        TorporError: the table or a file is broken or missing.
    """
    path = folder / TABLE
    if not path.exists():
        return []
    try:
        rows = _rows(path)
        samples = [_sample(folder, row) for row in rows]
    except OSError as error:
        raise TorporError(f"cannot read {error.filename}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise TorporError(f"{path} is no table of samples: {error}") from None
    numbers = [sample.entry.number for sample in samples]
    if len(set(numbers)) != len(numbers):
        raise TorporError(f"{path} has a sample twice")
    return sorted(samples, key=lambda sample: sample.entry.number)


def clean(label: str) -> str:
    """Return a label on one line, without spaces around it."""
    return " ".join(label.split())


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _sample(folder: Path, row: Mapping[str, str]) -> Sample:
    about = {name: int(row[name], 16 if name == "plan" else 10) for name in ABOUT}
    if min(about.values()) < 0:
        raise ValueError(f"sample {row['number']} has a number below 0")
    if Path(row["file"]).name != row["file"]:
        raise ValueError(f"'{row['file']}' is no name of a file")
    return Sample(Entry((folder / row["file"]).read_bytes(), **about), clean(row["label"]))


def write_folder(folder: Path, samples: Iterable[Sample]) -> None:
    """Write the table, and the files that are not there yet.

    Raises:
        TorporError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for sample in samples:
            entry = sample.entry
            file = folder / f"{entry.number:06}.bin"
            if not file.exists():
                file.write_bytes(entry.data)
            about = {name: getattr(entry, name) for name in ABOUT} | {"plan": f"{entry.plan:08x}"}
            writer.writerow({**about, "label": sample.label, "file": file.name})
        _replace(folder / TABLE, text.getvalue())
    except OSError as error:
        raise TorporError(f"cannot write to {folder}: {error.strerror}") from None


def _replace(path: Path, text: str) -> None:
    """Write a file that is either the old one or the new one, whatever happens."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8", newline="")
    fresh.replace(path)


def merge(there: Iterable[Sample], fetched: Iterable[Entry]) -> tuple[list[Sample], int]:
    """Return samples with those that were fetched, and how many of them are new.

    Raises:
        UsageError: a number is there already with other content.
    """
    known = {sample.entry.number: sample for sample in there}
    new = 0
    for entry in fetched:
        old = known.setdefault(entry.number, Sample(entry))
        new += old.entry is entry
        if old.entry != entry:
            raise UsageError(
                f"the folder holds another sample {entry.number}",
                "one folder for each device, and a new one when its flash was erased",
            )
    return [known[number] for number in sorted(known)], new


def relabel(
    samples: Iterable[Sample], labels: Mapping[int, str], valid: Mapping[int, Iterable[str]]
) -> list[Sample]:
    """Return samples with some labels changed.

    Args:
        samples: all of them.
        labels: by number; "" takes a label away.
        valid: names of classes by the CRC of the plan; of a plan that is not there, any name is.

    Raises:
        UsageError: a number that is not there, or a label that the model does not know.
    """
    known = {sample.entry.number: sample for sample in samples}
    for number, label in labels.items():
        if number not in known:
            raise unknown_name("sample", str(number), map(str, known))
        names = tuple(valid.get(known[number].entry.plan, ()))
        if label and names and label not in names:
            raise unknown_name("label", label, names)
        known[number] = replace(known[number], label=clean(label))
    return list(known.values())


def read_labels(path: Path) -> dict[int, str]:
    """Return labels by number, from the columns `number` and `label` of a CSV file.

    Raises:
        TorporError: it cannot be read, or has no such columns.
    """
    try:
        return {int(row["number"]): clean(row["label"]) for row in _rows(path)}
    except OSError as error:
        raise TorporError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error):
        raise TorporError(
            f"{path} is no table of labels", "a CSV file whose first line is: number,label"
        ) from None
