# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The sound front end of the firmware as a shared library of this machine."""

import functools
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cffi
import numpy as np
from numpy.typing import NDArray

from torpor.engine.library import CACHE, SANITIZERS, build_library, declarations
from torpor.errors import UsageError
from torpor.features.tables import tables_source
from torpor.paths import FIRMWARE
from torpor.third_party import library

SLICE = 160
"""Samples that are taken at once: 10 ms at 16 kHz."""

CHANNELS = 40
RATE_HZ = 16000
SOUND = FIRMWARE / "drivers" / "sound"


@functools.cache
def features_library(sanitizer: str = "none") -> Path:
    """Build firmware/drivers/sound with the front end and its tables; return the library's path.

    Args:
        sanitizer: a key of torpor.engine.library.SANITIZERS.

    Raises:
        MissingToolError: no C compiler, or the front end was not fetched.
    """
    front_end = library("microfrontend")
    headers = b"".join(path.read_bytes() for path in sorted(SOUND.glob("*.h")))
    text = tables_source().encode()
    CACHE.mkdir(parents=True, exist_ok=True)
    tables = CACHE / f"features-{hashlib.sha256(text + headers).hexdigest()[:16]}.c"
    if not tables.exists():
        _write_atomically(tables, text)
    sources = [*sorted(SOUND.glob("*.c")), tables, *front_end.sources]
    flags = [*SANITIZERS[sanitizer], *front_end.own_flags]
    return build_library(f"features-{sanitizer}", sources, flags)


class Features:
    """The features of one stream of sound. Bit-equal to the device, and to pymicro_features.

    Args:
        sanitizer: a key of torpor.engine.library.SANITIZERS.
    """

    def __init__(self, sanitizer: str = "none") -> None:
        self._ffi = cffi.FFI()
        self._ffi.cdef(_declared(SOUND / "features.h"))
        self._library = _own_copy(self._ffi, features_library(sanitizer))
        self._rest = np.zeros(0, np.int16)

    def reset(self) -> None:
        """Forget everything that was heard, the estimate of the noise included."""
        self._library.features_reset()
        self._rest = self._rest[:0]

    def resume(self) -> None:
        """Forget what was heard but keep the estimate of the noise: time has passed unheard."""
        self._library.features_resume()
        self._rest = self._rest[:0]

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.uint16]:
        """Hear more.

        Args:
            samples: int16 [n] at 16 kHz, any number; what is less than a slice waits for more.

        Returns:
            uint16 [rows, 40], one row for each slice of 10 ms from the third one on.

        Raises:
            UsageError: these are no samples.
        """
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise UsageError(f"samples are int16 [n], not {samples.dtype} {list(samples.shape)}")
        heard = np.concatenate([self._rest, samples])
        whole = len(heard) // SLICE * SLICE
        self._rest = heard[whole:].copy()
        rows = [self._row(heard[at : at + SLICE]) for at in range(0, whole, SLICE)]
        found = [row for row in rows if row is not None]
        return np.array(found, np.uint16).reshape(-1, CHANNELS)

    def _row(self, samples: NDArray[np.int16]) -> NDArray[np.uint16] | None:
        row = np.zeros(CHANNELS, np.uint16)
        content = self._ffi.from_buffer("int16_t[]", samples)
        target = self._ffi.from_buffer("uint16_t[]", row, require_writable=True)
        return row if self._library.features_slice(content, target) else None


def _declared(header: Path) -> str:
    text = declarations(header.read_text(encoding="utf-8"))
    return text.replace("FEATURES_CHANNELS", str(CHANNELS))


def _own_copy(ffi: cffi.FFI, path: Path) -> Any:
    """Open a library of which there are as many as there are streams: it has one state."""
    with tempfile.NamedTemporaryFile(suffix=".so") as copy:
        shutil.copyfile(path, copy.name)
        return ffi.dlopen(copy.name)


def _write_atomically(target: Path, text: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as written:
        written.write(text)
    Path(written.name).replace(target)
