# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong through no fault of torpor's own.

    TorporError                 exit 1   user-visible, one line and a hint
    ├── UsageError              exit 2   unknown name or option; names the nearest valid one
    ├── MissingToolError        exit 3   a program or package is missing; says how to get it
    ├── ModelError              exit 4   a model file is broken or not what it must be
    │   └── UnsupportedError    exit 5   a sound model that torpor cannot compile; says why
    ├── BudgetError             exit 6   flash, RAM or stack does not fit
    ├── DeviceError             exit 7   a device or emulator does not answer as it must
    └── ImageError              exit 8   an image or a key is broken or not what it must be

Exit 0 is success; exit 1 is also "the check that was asked for found a difference". A traceback
is a bug of torpor's and exits with 70. `torpor monitor --check` exits with 3 where there was an
alert: what it does needs no tool that could be missing.
"""

import difflib
from collections.abc import Iterable
from typing import ClassVar


class TorporError(Exception):
    """A problem that the user can do something about.

    Args:
        message: one line that says what is wrong, with the offending name or value.
        hint: one line that says what to do, or "".
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TorporError):
    """An unknown board, model, option or command."""

    exit_code = 2


class MissingToolError(TorporError):
    """A needed program or package is not installed."""

    exit_code = 3


class ModelError(TorporError):
    """A model file is truncated, hostile or inconsistent."""

    exit_code = 4


class UnsupportedError(ModelError):
    """A sound model uses something that torpor does not support."""

    exit_code = 5


class BudgetError(TorporError):
    """Something does not fit its memory budget."""

    exit_code = 6


class DeviceError(TorporError):
    """A device or emulator does not answer, or answers wrongly."""

    exit_code = 7


class ImageError(TorporError):
    """An image or key file is truncated, hostile, or not what it must be."""

    exit_code = 8


def unknown_name(kind: str, name: str, valid: Iterable[str]) -> UsageError:
    """Return the error for a name that is not among `valid`, suggesting the nearest one."""
    names = sorted(valid)
    begin = [known for known in names if name and known.startswith(name)]
    near = begin or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    known = ", ".join(names) or "none"
    hint = f"did you mean '{near[0]}'? known: {known}" if near else f"known: {known}"
    return UsageError(f"unknown {kind} '{name}'", hint)
