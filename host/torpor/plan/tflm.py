# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The registrations of TensorFlow Lite Micro that plans for engine=tflm name, from tflm.toml."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path(__file__).with_name("tflm.toml")


@dataclass(frozen=True)
class Registration:
    """What a resolver can register.

    Attributes:
        name: "CONV_2D", or "CONV_2D_INT8" for one that knows few types.
        number: its bit in header.kernels of a plan.
        add: method of tflite::MicroMutableOpResolver.
        of: the operator of which it is a registration for few types; "" if it knows all of them.
        register: the function that makes it; "" for the default of `add`.
        header: where `register` is declared; "" for the header of the resolver.
    """

    name: str
    number: int
    add: str
    of: str = ""
    register: str = ""
    header: str = ""

    @property
    def operator(self) -> str:
        """The operator's name in the schema."""
        return self.of or self.name


REGISTRATIONS = {
    name: Registration(name, **row)
    for name, row in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items()
}
"""All registrations by name."""

NUMBERS = {entry.number: entry.name for entry in REGISTRATIONS.values()}
"""Name of a registration by number."""


def with_special(names: Iterable[str]) -> set[str]:
    """Return `names` and what whoever has them has too: "CONV_2D" has "CONV_2D_INT8"."""
    have = set(names)
    return have | {entry.name for entry in REGISTRATIONS.values() if entry.of in have}
