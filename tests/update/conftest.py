# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The update code of the firmware with UBSan, on simulated flash."""

from typing import Any

import pytest

from torpor.powercut.library import open_update


@pytest.fixture(scope="session")
def opened() -> tuple[Any, Any]:
    """Return (ffi, library)."""
    return open_update("undefined")
