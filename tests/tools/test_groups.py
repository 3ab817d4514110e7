# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Tests of one xdist_group run one after the other, on one worker."""

import pytest


@pytest.mark.xdist_group("probe")
def test_groups_reach_the_scheduler(request: pytest.FixtureRequest) -> None:
    wanted = request.config.getoption("loadgroup", default=False)
    assert request.node.nodeid.endswith("@probe") == wanted, "pytest-xdist lost its groups"
