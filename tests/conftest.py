# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Hypothesis finds the same examples in every run, so that what fails in CI fails at a desk too.

TORPOR_EXPLORE=1 looks for new ones; a find becomes an @example.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

from torpor.paths import ENGINES, TORPOR

settings.register_profile(
    "same",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],  # says how busy the machine is, not what is wrong
)
settings.register_profile("explore", settings.get_profile("same"), derandomize=False)
settings.load_profile("explore" if os.environ.get("TORPOR_EXPLORE") else "same")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what chooses the devices of tests/lanes."""
    group = parser.getgroup("torpor")
    group.addoption(
        "--device",
        action="append",
        default=[],
        metavar="DEVICE",
        help="native, qemu:BOARD, renode:BOARD, serial:PORT or all, for tests/lanes; default: "
        "native, two in QEMU, all in Renode",
    )
    group.addoption(
        "--engine",
        choices=ENGINES,
        default=TORPOR,
        help="what runs the models, for tests/lanes; tflm needs the environment variable TFLM_DIR",
    )
    group.addoption(
        "--power-cycle",
        default="",
        metavar="COMMAND",
        help="takes the power of a serial device away and gives it back, for tests/lanes",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a device that there is not before anything runs."""
    if not config.getoption("device"):
        return
    from tests.lanes.lane import chosen  # noqa: PLC0415 - not needed by most runs

    try:
        chosen(config.getoption("device"))
    except ValueError as error:
        raise pytest.UsageError(f"--device: {error}") from None
