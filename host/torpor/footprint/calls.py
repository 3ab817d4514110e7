# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What an application outside of this repository says of its calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Calls:
    """What an application declares of its calls, besides firmware/calls.toml.

    Attributes:
        tables: "targets", "library" and "recursion", as there.
        where: its file, for messages.
    """

    tables: Mapping[str, Mapping[str, Any]]
    where: str
