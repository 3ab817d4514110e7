# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Every folder of tests is run; tests of one xdist_group one after the other, on one worker."""

from pathlib import Path

import pytest

from torpor.paths import ROOT


@pytest.mark.xdist_group("probe")
def test_groups_reach_the_scheduler(request: pytest.FixtureRequest) -> None:
    wanted = request.config.getoption("loadgroup", default=False)
    assert request.node.nodeid.endswith("@probe") == wanted, "pytest-xdist lost its groups"


def test_no_folder_of_tests_is_passed_over(pytestconfig: pytest.Config) -> None:
    """As "build" is by pytest itself."""
    passed_over = pytestconfig.getini("norecursedirs")
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert [
        f for f in folders if any(part.match(p) for p in passed_over for part in parts(f))
    ] == []


def parts(folder: Path) -> list[Path]:
    return [Path(name) for name in folder.relative_to(ROOT).parts]
