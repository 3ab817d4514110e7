# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Compiles fuzz targets: the device's C with sanitizers and a call at each basic block.

Objects and programs are built once for each content of their sources and flags, in build/host.
"""

import functools
import hashlib
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torpor.powercut.library as powercut
from tests.support.tflm_plans import SOURCES, with_registrations
from torpor.engine.library import CACHE, compiler, engine_sources, kernel_table
from torpor.paths import FIRMWARE
from torpor.third_party import library as third_party

HERE = Path(__file__).parent
SIMULATOR = Path(powercut.__file__).parent
COMMON = ("-std=c11", "-g", "-fno-pie", f"-I{FIRMWARE}", f"-I{HERE}", f"-I{SIMULATOR}")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wconversion")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
TRACE = ("-fsanitize-coverage=trace-pc",)
LINES = ("-O0", "--coverage", "-Dalways_inline=unused")
WRAPPED = ("flash_erase", "flash_program", "verify_signature")
LIBRARIES = ("monocypher", "bearssl")
PROCESSES = 2


@dataclass(frozen=True)
class Target:
    """What a fuzz target is made of.

    Attributes:
        name: of target_<name>.c.
        folders: what of firmware/ it is meant for.
        firmware: the C files under test.
        support: C files of this folder and of the simulator.
        plain: C files that would take most of the time with sanitizers, and are tested elsewhere.
        wrapped: functions that the support stands before.
        libraries: third-party C.
    """

    name: str
    folders: tuple[str, ...]
    firmware: tuple[Path, ...]
    support: tuple[Path, ...] = ()
    plain: tuple[Path, ...] = ()
    wrapped: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()

    def jobs(self, tested: Sequence[str], ours: Sequence[str]) -> list[tuple[Path, list[str]]]:
        """Return (source, flags) of all there is to compile.

        Args:
            tested: flags of the code under test.
            ours: flags of the code around it.
        """
        libraries = [third_party(name) for name in self.libraries]
        include = [flag for library in libraries for flag in library.flags]
        support = [HERE / f"target_{self.name}.c", HERE / "outcome.c", *self.support]
        return [
            *((path, [*tested, *WARNINGS, *include]) for path in self.firmware),
            *((path, [*ours, *WARNINGS, *include]) for path in support),
            *((path, ["-O2", *WARNINGS]) for path in self.plain),
            *((p, ["-O2", *lib.own_flags]) for lib in libraries for p in lib.sources),
        ]

    @property
    def link_flags(self) -> list[str]:
        """What puts the support before the functions that it watches."""
        return [f"-Wl,--wrap={name}" for name in self.wrapped]


def targets() -> dict[str, Target]:
    """Return all targets by name."""
    crc = (FIRMWARE / "core" / "crc32.c",)
    update = tuple(path for path in powercut.update_sources() if path not in crc)
    signed = (SIMULATOR / "flash.c", HERE / "signer.c")
    device = (*signed, *(HERE / name for name in ("files.c", "device.c", "installed.c")))
    folders = (FIRMWARE / "mgmt", FIRMWARE / "wire")
    served = (*(p for f in folders for p in sorted(f.glob("*.c"))), FIRMWARE / "core" / "text.c")
    infer = (*engine_sources(), _kernel_table())
    found = (
        Target("image", ("update",), update, signed, crc, (), LIBRARIES),
        Target("journal", ("update",), update, device, crc, WRAPPED, LIBRARIES),
        Target("upload", ("update",), update, device, crc, WRAPPED, LIBRARIES),
        Target("plan", ("infer",), infer),
        Target("flatbuffer", ("infer/plan", "infer/tflm"), (*SOURCES, with_registrations(1))),
        Target(
            "smp",
            ("update", "mgmt", "wire"),
            (*update, *served, *infer),
            device,
            crc,
            WRAPPED,
            (*LIBRARIES, "zcbor"),
        ),
    )
    return {target.name: target for target in found}


def build(target: Target) -> Path:
    """Return the program that fuzzes a target, compiled if need be."""
    ours = ["-O1", *SANITIZERS]
    jobs = [
        *target.jobs([*ours, *TRACE], ours),
        (HERE / "driver.c", ["-O2", *SANITIZERS, *WARNINGS]),
    ]
    objects = _compile_all(jobs, CACHE / "fuzz")
    flags = [*SANITIZERS, *target.link_flags]
    digest = hashlib.sha256("\0".join([*map(str, objects), *flags]).encode()).hexdigest()
    program = CACHE / "fuzz" / f"fuzz-{target.name}-{digest[:16]}"
    if not program.exists():
        _make(program, ["-no-pie", *flags, *map(str, objects)])
    return program


def build_counting(target: Target, folder: Path) -> Path:
    """Compile a target so that gcov counts its lines; return its program, in `folder`."""
    jobs = [*target.jobs(LINES, ["-O1"]), (HERE / "driver.c", ["-O1", *WARNINGS])]
    objects = _compile_all(jobs, folder, cached=False)
    program = folder / f"fuzz-{target.name}"
    _run(["-no-pie", "--coverage", *target.link_flags, *map(str, objects), "-o", str(program)])
    return program


def build_libfuzzer(target: Target, folder: Path, clang: str) -> Path:
    """Compile a target with clang's own fuzzer in place of our driver."""
    sanitize = ["-O1", "-fsanitize=fuzzer-no-link,address,undefined", "-fno-sanitize-recover=all"]
    objects = _compile_all(target.jobs(sanitize, sanitize), folder, cached=False, command=clang)
    program = folder / f"libfuzzer-{target.name}"
    flags = ["-no-pie", "-fsanitize=fuzzer,address,undefined", *target.link_flags]
    _run([*flags, *map(str, objects), "-o", str(program)], clang)
    return program


def _compile_all(
    jobs: Sequence[tuple[Path, list[str]]],
    folder: Path,
    *,
    cached: bool = True,
    command: str = "",
) -> list[Path]:
    def compiled(job: tuple[int, tuple[Path, list[str]]]) -> Path:
        number, (source, flags) = job
        if cached:
            return _cached_object(folder, source, flags)
        target = folder / f"{number}-{source.stem}.o"
        _run([*COMMON, *flags, "-c", str(source), "-o", str(target)], command)
        return target

    with ThreadPoolExecutor(PROCESSES) as pool:
        return list(pool.map(compiled, enumerate(jobs)))


def _cached_object(folder: Path, source: Path, flags: Sequence[str]) -> Path:
    text = "\0".join([compiler(), *COMMON, *flags, str(source), _headers_digest(source)])
    digest = hashlib.sha256(text.encode() + source.read_bytes()).hexdigest()
    target = folder / f"{source.stem}-{digest[:16]}.o"
    if not target.exists():
        _make(target, [*COMMON, *flags, "-c", str(source)])
    return target


def _headers_digest(source: Path) -> str:
    """Return a digest of the headers that a source can include."""
    if source.is_relative_to(FIRMWARE / "infer"):
        return _digest(FIRMWARE / "infer")
    below = _digest(FIRMWARE)
    return below if source.is_relative_to(FIRMWARE) else below + _digest(HERE) + _digest(SIMULATOR)


@functools.cache
def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.h")):
        digest.update(f"\0{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _kernel_table() -> Path:
    text = kernel_table()
    path = CACHE / f"kernels-{hashlib.sha256(text.encode()).hexdigest()[:16]}.c"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as made:
            written = Path(made) / path.name
            written.write_text(text, encoding="utf-8")
            written.replace(path)
    return path


def _make(target: Path, arguments: Sequence[str]) -> None:
    """Run the compiler; `target` appears at once and complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as made:
        output = Path(made) / target.name
        _run([*arguments, "-o", str(output)])
        output.replace(target)


def _run(arguments: Sequence[str], command: str = "") -> None:
    done = subprocess.run(
        [command or compiler(), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"a fuzz target does not compile:\n{done.stderr}")
