# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/duty as a shared library with UBSan; its headers are the declarations."""

from typing import Any, NamedTuple

import cffi
import pytest

from tests.support.shared import build_shared
from torpor.paths import FIRMWARE
from torpor.powercut.library import cdef

FOLDER = FIRMWARE / "duty"
NAMES = ("floor", "trigger", "gate", "smooth", "policy", "residency", "duty")


class Library(NamedTuple):
    """An open library and the cffi object that knows its types."""

    ffi: Any
    c: Any


@pytest.fixture(scope="session")
def duty(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The library."""
    ffi = cffi.FFI()
    ffi.cdef(cdef([FOLDER / f"{name}.h" for name in NAMES]))
    folder = tmp_path_factory.mktemp("duty")
    built = build_shared(folder, sorted(FOLDER.glob("*.c")), libraries=())
    return Library(ffi, ffi.dlopen(str(built)))
