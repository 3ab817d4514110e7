# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a run has seen that must be the same in every run of the same images on the same lane.

Each test writes down what it observed: build/fingerprints/<lane>/<test>.json. A later run with the
same images has to observe the same, or fails. Some of it is the same on every lane, too:
build/fingerprints/everywhere. `python -m tests.lanes.fingerprint LANE` prints one
hash for all of a lane.
"""

import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torpor.paths import BUILD

FOLDER = BUILD / "fingerprints"


@dataclass
class Observations:
    """What one test has seen, in order.

    Attributes:
        lane: where.
        test: which.
        of: hash of the images that the test is about.
        of_models: hash of what of it is the same on every lane.
        seen: names and values, as JSON has them.
        everywhere: those of them that are the same on every lane.
    """

    lane: str
    test: str
    of: str
    of_models: str
    seen: list[list[Any]] = field(default_factory=list)
    everywhere: list[list[Any]] = field(default_factory=list)

    def see(self, name: str, value: Any, *, everywhere: bool = False) -> None:
        """Note something that is the same each time; bytes are noted as their SHA-256."""
        if isinstance(value, bytes):
            value = hashlib.sha256(value).hexdigest()
        pair = [name, json.loads(json.dumps(value))]
        self.seen.append(pair)
        if everywhere:
            self.everywhere.append(pair)

    def keep(self) -> None:
        """Write it down, or compare it with what an earlier run has written.

        Raises:
            AssertionError: that was something else.
        """
        _keep(file_of(self.lane, self.test), self.of, self.seen)
        _keep(file_of("everywhere", self.test), self.of_models, self.everywhere)


def _keep(file: Path, of: str, seen: list[list[Any]]) -> None:
    before = json.loads(file.read_text()) if file.is_file() else {}
    if before.get("of") == of:
        assert before["seen"] == seen, f"another run has seen something else: {file}"
    elif seen:
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(f".{os.getpid()}")  # others may write the same right now
        new.write_text(json.dumps({"of": of, "seen": seen}, indent=1) + "\n")
        new.replace(file)


def file_of(lane: str, test: str) -> Path:
    """Return where the observations of a test lie."""
    return FOLDER / plain(lane) / f"{plain(test)}.json"


def plain(name: str) -> str:
    """Return a name as part of a path."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")


def fingerprint(lane: str) -> str:
    """Return the hash of everything that was observed on a lane; empty if nothing was."""
    files = sorted((FOLDER / plain(lane)).glob("*.json"))
    texts = [f"{path.name}\n{path.read_text()}" for path in files]
    return hashlib.sha256("".join(texts).encode()).hexdigest() if texts else ""


if __name__ == "__main__":
    print(*(f"{lane} {fingerprint(lane) or 'has not run'}" for lane in sys.argv[1:]), sep="\n")
