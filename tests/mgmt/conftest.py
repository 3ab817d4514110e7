# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Management with UBSan, on a device of simulated flash."""

from typing import Any

import pytest

from tests.mgmt.device import Device, installed
from tests.mgmt.library import open_mgmt


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Return (ffi, library)."""
    return open_mgmt(tmp_path_factory.mktemp("mgmt"))


@pytest.fixture
def device(opened: tuple[Any, Any]) -> Device:
    """A device whose firmware in slot A is confirmed and runs, with the factory plan."""
    return installed(opened)
