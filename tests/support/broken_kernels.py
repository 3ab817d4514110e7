# SPDX-License-Identifier: Apache-2.0
"""Builds firmware/infer with one kernel broken on purpose; the repository stays as it is.

The broken file lies in a folder that comes first among the include folders, and only one kernel
is compiled with it, so that a change in a shared header breaks that kernel alone.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cffi

from torpor.engine import library
from torpor.engine.library import INFER, compiler, kernel_table

FLAGS = [flag for flag in library.FLAGS if flag not in ("-shared", "-O2", "-Werror")]


@dataclass(frozen=True)
class Broken:
    """One change.

    Attributes:
        kernel: the C file in firmware/infer/kernels that is compiled with the change.
        file: the file in firmware/infer/kernels that is changed, the same or a header.
        old: text that stands there once.
        new: what it becomes.
    """

    kernel: str
    file: str
    old: str
    new: str


class Workshop:
    """A folder with all kernels compiled, in which single ones are compiled anew."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        table = folder / "table.c"
        table.write_text(kernel_table(), encoding="utf-8")
        rest = [table, *(p for f in ("ops", "plan", "") for p in sorted((INFER / f).glob("*.c")))]
        self._objects = self._compiled("rest", rest)
        self._kernels = self._compiled("kernels", sorted((INFER / "kernels").glob("*.c")))

    def _compiled(self, name: str, sources: Sequence[Path]) -> list[Path]:
        place = self._folder / name
        place.mkdir()
        _compile(["-O0", "-c", *map(str, sources)], place)
        return [place / f"{source.stem}.o" for source in sources]

    def build(self, broken: Broken) -> tuple[cffi.FFI, Any]:
        """Return (ffi, library) as torpor.engine.library.open_infer does, with the change."""
        place = Path(tempfile.mkdtemp(dir=self._folder))
        changed = place / "infer" / "kernels" / broken.file
        changed.parent.mkdir(parents=True)
        text = (INFER / "kernels" / broken.file).read_text(encoding="utf-8")
        assert text.count(broken.old) == 1, f"{broken.file} has changed: {broken.old!r}"
        changed.write_text(text.replace(broken.old, broken.new), encoding="utf-8")
        source = changed if broken.file == broken.kernel else INFER / "kernels" / broken.kernel
        made = place / "broken.o"
        _compile(["-O0", "-c", f"-I{place}", str(source), "-o", str(made)], place)
        kernels = [o for o in self._kernels if o.stem != Path(broken.kernel).stem]
        objects = [made, *kernels, *self._objects]
        target = place.with_suffix(".so")
        _compile(["-shared", *map(str, objects), "-o", str(target)], place)
        ffi, _ = library.open_infer()
        return ffi, ffi.dlopen(str(target))


def _compile(arguments: list[str], folder: Path) -> None:
    head = [a for a in arguments if a.startswith("-I")]
    rest = [a for a in arguments if not a.startswith("-I")]
    subprocess.run([compiler(), *head, *FLAGS, *rest], cwd=folder, check=True, capture_output=True)
