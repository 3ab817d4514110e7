# SPDX-License-Identifier: Apache-2.0
"""List what is installed, what is missing and how to get it.

Checks the system's programs and files (tools/needs.txt), the Python packages that torpor needs,
the C that firmware takes from others (firmware/third_party.toml), and what only some need:
TensorFlow (to train), Renode (a second emulator) and pyOCD (boards with a probe). Where TFLM_DIR is
set: the tree of TensorFlow Lite Micro and the archives in it. Exits 3 if something that is not
optional is missing.
"""

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from torpor.errors import TorporError
from torpor.paths import ROOT
from torpor.tflm import tree
from torpor.tflm.archive import read_archive
from torpor.third_party import archive_problem, pins

SETUP_HINT = "tools/setup"
_ENGINE = "engine=tflm"


@dataclass(frozen=True)
class Check:
    """One thing that torpor looks for."""

    name: str
    present: bool
    detail: str  # version or path where present, else ""
    purpose: str
    get: str  # how to get it
    optional: bool = False


def _program_version(path: str) -> str:
    try:
        shown = subprocess.run(
            [path, "--version"], check=False, capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return path
    first = (shown.stdout or shown.stderr).strip().splitlines()
    match = re.search(r"\d+\.\d+(\.\d+)*", first[0]) if first else None
    return match.group() if match else path


def check_needs(table: str) -> list[Check]:
    """Return one check a row of tools/needs.txt (`what | package | purpose`)."""
    checks = []
    for line in table.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        what, package, purpose = (part.strip() for part in line.split("|"))
        if "/" in what:
            present, detail = Path(what).exists(), ""
        else:
            path = shutil.which(what)
            present, detail = path is not None, _program_version(path) if path else ""
        get = f"apt-get install {package}"
        tests_only = purpose.startswith("tests:")  # tools/setup --test
        checks.append(Check(Path(what).name, present, detail, purpose, get, tests_only))
    return checks


def check_packages(requirements: list[str]) -> list[Check]:
    """Return one check a Python requirement such as "numpy>=2"."""
    checks = []
    for requirement in requirements:
        name = re.split(r"[<>=!~\[ ]", requirement)[0]
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = ""
        checks.append(Check(name, bool(version), version, "Python package", SETUP_HINT))
    return checks


def check_third_party() -> list[Check]:
    """Return one check for each library of firmware/third_party.toml that tools/setup fetches."""
    purpose = "C in the firmware"
    return [
        Check(pin.name, not problem, "" if problem else pin.version, purpose, SETUP_HINT)
        for pin in pins().values()
        if pin.archive
        for problem in [archive_problem(pin)]
    ]


def check_optional() -> list[Check]:
    """Return the checks of what only some users need."""
    tensorflow = [c for c in check_packages(["tensorflow-cpu", "tensorflow"]) if c.present]
    renode, pyocd = shutil.which("renode-test"), shutil.which("pyocd")
    return [
        Check(
            "tensorflow",
            bool(tensorflow),
            tensorflow[0].detail if tensorflow else "",
            "training models",
            ".venv/bin/pip install '.[train]'",
            optional=True,
        ),
        Check(
            "renode-test",
            renode is not None,
            renode or "",
            "tests in Renode",
            "install Renode 1.16 and put renode-test on PATH",
            optional=True,
        ),
        Check(
            "pyocd",
            pyocd is not None,
            _program_version(pyocd) if pyocd else "",
            "torpor flash, where OpenOCD is not wanted",
            "pip install pyocd",
            optional=True,
        ),
    ]


def check_tflm(tflm_dir: str | None) -> list[Check]:
    """Return the checks of what TFLM_DIR names, if it is set: the tree, and each archive in it."""
    if not tflm_dir:
        return []
    try:
        root = tree.tree(tflm_dir)
        tree.include_paths(root)
        found = tree.archives(root)
    except TorporError as error:
        return [Check("TFLM_DIR", False, "", _ENGINE, error.message, optional=True)]
    get = f"{root}: {tree.DOCUMENTS[0]}"
    return [
        Check("TFLM_DIR", bool(found), tree.version(root), _ENGINE, get, optional=True),
        *(_check_archive(root, path) for path in found),
    ]


def _check_archive(root: Path, path: Path) -> Check:
    name, where = "TFLM archive", str(path.relative_to(root))
    try:
        archive = read_archive(path)
    except TorporError as error:
        return Check(name, False, "", _ENGINE, error.message, optional=True)
    if not archive.has_interpreter:
        return Check(name, False, "", where, "it has no tflite::MicroInterpreter", optional=True)
    return Check(name, True, archive.kernels, f"{where}: {archive}", "", optional=True)


def all_checks() -> list[Check]:
    """Return every check, the optional ones last."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = (ROOT / "tools" / "needs.txt").read_text()
    packages = check_packages(project["dependencies"])
    tflm = check_tflm(os.environ.get("TFLM_DIR"))
    return [*check_needs(needs), *packages, *check_third_party(), *check_optional(), *tflm]


def _state(check: Check) -> str:
    if check.present:
        return "[green]ok[/]"
    return "[yellow]optional[/]" if check.optional else "[red]missing[/]"


def _print_table(checks: list[Check]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("version", no_wrap=True)
    table.add_column("for, or how to get it", overflow="fold")
    for check in checks:
        note = check.purpose if check.present else f"{check.purpose}: {check.get}"
        table.add_row(check.name, _state(check), check.detail, escape(note))
    Console().print(table)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `torpor doctor`."""
    parser.add_argument("--json", action="store_true", help="print a list of objects")


def run(args: argparse.Namespace) -> int:
    """Print what is there; return 3 if something needed is missing."""
    checks = all_checks()
    if args.json:
        print(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        _print_table(checks)
    missing = [check for check in checks if not check.present and not check.optional]
    for check in missing:
        print(f"missing: {check.name}: {check.get}", file=sys.stderr)
    return 3 if missing else 0
