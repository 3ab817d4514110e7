# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What commands print with --json has the members that docs/SPEC.md promises, and no others."""

import re
from typing import Any

import pytest

from tests.support.drafts import Draft
from tests.update_host.test_state import status
from torpor.cli import history, slots, update
from torpor.image.describe import describe
from torpor.image.parse import parse
from torpor.image.reasons import reason
from torpor.image.version import Version
from torpor.paths import ROOT
from torpor.update.flow import Outcome
from torpor.update.journal import Event

SPEC = (ROOT / "docs" / "SPEC.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- json (\w+) -->\n(.*?)<!-- end -->", re.S)
EVENT = Event(0, "armed", 0, Version(1, 0, 0), bytes(8), reason(0), 0, (0, 0))


def promised() -> dict[str, set[str]]:
    """Return the members in the first column of each table."""
    found = {}
    for name, table in BLOCK.findall(SPEC):
        cells = [row.split("|")[1] for row in table.splitlines()[2:]]
        found[name] = {member for cell in cells for member in re.findall(r"`(\w+)`", cell)}
    return found


def printed() -> dict[str, dict[str, Any]]:
    """Return an object of each kind."""
    numbers = {"sent": 0, "seconds": 0.0}
    device = slots.describe(status())
    return {
        "update": update.describe(Outcome("armed", 0, "1.0.0", bytes(32))) | numbers,
        "slots": device,
        "slot": device["slots"][0],
        "event": history.describe(EVENT, lambda _event, _address: None),
        "image": {"file": "x.bin", **describe(parse(Draft().build()))},
    }


@pytest.mark.parametrize("kind", sorted(printed()))
def test_an_object_has_the_members_that_are_promised(kind: str) -> None:
    assert set(printed()[kind]) == promised()[kind]


def test_each_promise_is_about_something_that_is_printed() -> None:
    assert promised().keys() == printed().keys()
