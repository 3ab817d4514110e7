# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What is missing in the numbered records of a device. Pure.

The first record after a start of the device is number 0. What comes first when nobody knows the
device yet is no loss, whatever its number. A number that goes back is a start whose other signs
were lost, unless it is a record that has just been here: a wire may double a line.
"""

from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED = 8  # numbers: a wire doubles a few lines, a run that begins like the last one is longer


@dataclass(frozen=True)
class Step:
    """What a numbered record says about the others.

    Attributes:
        lost: records that should have come before it and did not.
        restarted: the device must have started anew.
    """

    lost: int = 0
    restarted: bool = False


class Sequence:
    """Follows the numbers of one device."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._recent: OrderedDict[int, bytes] = OrderedDict()

    @property
    def is_fresh(self) -> bool:
        """True if no numbered record has come since the beginning or the last start."""
        return not self._recent

    def start(self) -> None:
        """The device has started: the next record is number 0."""
        self._next = 0
        self._recent.clear()

    def has(self, number: int, payload: bytes) -> bool:
        """True if this very record was here a moment ago."""
        return self._recent.get(number) == payload

    def take(self, number: int, payload: bytes) -> Step:
        """Take the number of a record that was not here yet."""
        restarted = self._next is not None and number < self._next
        if restarted:
            self.start()
        lost = number - (number if self._next is None else self._next)
        self._next = number + 1
        self._recent[number] = payload
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        return Step(lost=lost, restarted=restarted)
