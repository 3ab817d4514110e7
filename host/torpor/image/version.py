# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Versions of images: 1.2.3, or 1.2.3+4 with the number of a build."""

import re
from dataclasses import dataclass

from torpor.errors import UsageError

_TEXT = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:\+(0|[1-9]\d*))?", re.ASCII)
_LIMITS = (0xFF, 0xFF, 0xFFFF, 0xFFFFFFFF)


@dataclass(frozen=True, order=True)
class Version:
    """A version, as wide as the header of an image has it: 8, 8, 16 and 32 bits."""

    major: int
    minor: int
    revision: int
    build: int = 0

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Return the version that a text says.

        Raises:
            UsageError: it is none, or a number is too large for the header.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise UsageError(f"'{text}' is no version", "write 1.2.3 or 1.2.3+4")
        numbers = [int(part or 0) for part in match.groups()]
        for number, limit in zip(numbers, _LIMITS, strict=True):
            if number > limit:
                raise UsageError(
                    f"version {text}: {number} is too large", "at most 255.255.65535+4294967295"
                )
        return cls(*numbers)

    def __str__(self) -> str:
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.revision}{build}"
