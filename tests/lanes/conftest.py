# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Every test of this folder runs once on each lane, or on those that --device names."""

import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from tests.lanes import kit
from tests.lanes.fingerprint import Observations
from tests.lanes.lane import Lane, chosen
from tests.lanes.stand import Stand, stand


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "lane" not in metafunc.fixturenames:
        return
    option = metafunc.config.getoption
    lanes = chosen(option("device"), option("engine"))
    params = [pytest.param(lane, id=lane.name, marks=_marks(lane)) for lane in lanes]
    metafunc.parametrize("lane", params, scope="session")


def _marks(lane: Lane) -> list[pytest.MarkDecorator]:
    """Tests of one lane stay together: what they build and begin with is made once."""
    return [pytest.mark.emulated, pytest.mark.xdist_group(f"lane-{lane.name}")]


@pytest.fixture
def bench(lane: Lane, request: pytest.FixtureRequest) -> Iterator[Stand]:
    """The device of the lane."""
    with _stand(lane, request) as it:
        yield it


@pytest.fixture
def fast_bench(lane: Lane, request: pytest.FixtureRequest) -> Iterator[Stand]:
    """The same; where an emulator can, idle time takes none."""
    with _stand(lane, request, skip_idle=True) as it:
        yield it


def _stand(
    lane: Lane, request: pytest.FixtureRequest, *, skip_idle: bool = False
) -> AbstractContextManager[Stand]:
    if lane.missing:
        if request.config.getoption("device"):
            pytest.fail(f"--device {lane.device}: {lane.missing}")
        pytest.skip(lane.missing)
    power = shlex.split(request.config.getoption("power_cycle"))
    return stand(lane, power, skip_idle=skip_idle)


@pytest.fixture
def seen(lane: Lane, request: pytest.FixtureRequest) -> Iterator[Observations]:
    """What the test observes; a test that has failed has observed nothing of use."""
    it = request.getfixturevalue("fast_bench" if "fast_bench" in request.fixturenames else "bench")
    of, of_models = kit.source_hash(it.board, lane.engine), kit.models_hash()
    observed = Observations(lane.name, _name(request.node, lane), of, of_models)
    failed = request.session.testsfailed
    yield observed
    if request.session.testsfailed == failed:
        observed.keep()


def _name(node: pytest.Item, lane: Lane) -> str:
    """Return the name of a test without that of the lane."""
    return node.name.replace(f"[{lane.name}-", "[").replace(f"[{lane.name}]", "")
