# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Brings the archives of firmware/third_party.toml into .venv/third_party (tools/setup calls it).

By package name, from wherever pip and apt are set up to look; what comes is what is pinned, or it
is refused. Needs no root. What is there already is not fetched again.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torpor.errors import MissingToolError
from torpor.third_party import ARCHIVES, Pin, archive_problem, pins

APT = Path("/etc/apt")


def fetch(pin: Pin, archives: Path = ARCHIVES, apt: Path = APT) -> bool:
    """Bring one archive; return False if it was there.

    Args:
        pin: with an archive.
        archives: the folder to put it in.
        apt: where the lists of Debian's sources are.

    Raises:
        MissingToolError: it could not be had.
    """
    if not archive_problem(pin, archives):
        return False
    archives.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archives) as name:
        folder = Path(name)
        said = _download_pip(pin, folder) if pin.pip else _download_debian(pin, folder, apt)
        if problem := archive_problem(pin, folder):
            raise MissingToolError(
                f"cannot fetch {pin.name}: {problem}\n{said}".rstrip(),
                f"or put {pin.archive} into {archives}; its SHA-256 must be {pin.sha256}",
            )
        (folder / pin.archive).replace(archives / pin.archive)
    return True


def _download_pip(pin: Pin, folder: Path) -> str:
    """Download an sdist. pip checks the hash before it runs anything that is in the archive."""
    package = pin.pip.split("==", maxsplit=1)[0]
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{pin.pip} --hash=sha256:{pin.sha256}\n")
    options = ["--require-hashes", "--no-deps", "--no-binary", package, "--no-build-isolation"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-input"]
    return _run([*pip, *options, "-r", str(requirement), "-d", str(folder)], folder)


def _download_debian(pin: Pin, folder: Path, apt: Path) -> str:
    """Download a source package, from the first list of sources that has the pinned file."""
    said = "no list of Debian sources found"
    for text, suffix in _source_lists(apt):
        (folder / f"src{suffix}").write_text(text)
        (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        options = {
            "Dir::Etc::SourceList": folder / f"src{suffix}",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": folder / "lists",
            "Dir::Cache": folder,
            "APT::Sandbox::User": "root",  # the folder is ours alone
            "Acquire::Languages": "none",
        }
        command = ["apt-get", *(w for k, v in options.items() for w in ("-o", f"{k}={v}"))]
        said = _run([*command, "update"], folder)
        said += _run([*command, "source", "--download-only", "--tar-only", pin.debian], folder)
        if not archive_problem(pin, folder):
            break
    return said


def _source_lists(apt: Path) -> list[tuple[str, str]]:
    """Return (text, suffix) of each list of binary packages, as one of source packages."""
    parts = apt / "sources.list.d"
    files = [apt / "sources.list", *sorted(parts.glob("*.sources")), *sorted(parts.glob("*.list"))]
    found = []
    for file in (file for file in files if file.is_file()):
        lines = [_as_source(line) for line in file.read_text(errors="replace").splitlines()]
        found.append(("\n".join(lines) + "\n", file.suffix))
    return found


def _as_source(line: str) -> str:
    """Return a line of a list of binary packages as one of source packages."""
    if line.startswith("Types:"):
        return "Types: deb-src"
    is_online = line.startswith(("deb ", "deb\t", "deb[")) and "cdrom:" not in line
    if is_online:
        return f"deb-src{line[3:]}"
    return "" if line.startswith("deb") else line


def _run(command: Sequence[str], folder: Path) -> str:
    """Run a command in `folder`; return what it says if it fails."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"{command[0]} is missing\n"
    return done.stdout + done.stderr if done.returncode != 0 else ""


def main() -> int:
    """Fetch what is missing."""
    try:
        for pin in pins().values():
            if pin.archive and fetch(pin):
                print(f"fetched {pin.archive}", file=sys.stderr)
    except MissingToolError as error:
        print(f"{error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
