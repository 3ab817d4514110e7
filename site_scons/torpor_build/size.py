# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""`scons size`: sections and symbols, and who grew since the last commit.

Sizes of commits are kept in build/<board>/<variant>/sizes/. Those of a commit that was never
measured are made when they are wanted: its files are unpacked into build/size/ and built there.
"""

import io
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from torpor.errors import UsageError
from torpor.paths import BUILD, ROOT
from torpor_build.options import Options
from torpor_build.terminal import call

_HASH = 12


def show(folder: Path, options: Options) -> int:
    """Write sizes.json into a build's folder, and print the tables."""
    from torpor.footprint import sizes  # noqa: PLC0415 - not needed where nothing is to do

    now = sizes.read(folder / "firmware.elf").to_json()
    (folder / "sizes.json").write_text(now, encoding="utf-8")
    history = _History(folder / "sizes", options)
    words = ["size", str(folder)]
    base = history.base(now)
    if base:
        words += ["--against", str(history.file(base)), "--name", base]
    return call([sys.executable, "-m", "torpor", *words])


@dataclass(frozen=True)
class _History:
    """The sizes of commits.

    Attributes:
        folder: where they are kept.
        options: of the build.
    """

    folder: Path
    options: Options

    def file(self, commit: str) -> Path:
        return self.folder / f"{commit}.json"

    def base(self, now: str) -> str:
        """Return the commit to compare with, whose sizes are there then; "" for none.

        A tree without changes is compared with the commit before, and its sizes are kept.
        """
        head = _git("rev-parse", f"--short={_HASH}", "HEAD")
        if not head:
            print("  no git here: nothing to compare with", file=sys.stderr)
            return ""
        wanted = self.options.since or ("HEAD" if _is_changed() else "HEAD^")
        if not _is_changed():
            self._keep(head, now)
        base = _git("rev-parse", f"--short={_HASH}", "--verify", "--quiet", f"{wanted}^{{commit}}")
        if not base and self.options.since:
            raise UsageError(f"since={wanted}: git knows no such commit")
        return base if base and (self.file(base).is_file() or self._measure(base)) else ""

    def _keep(self, commit: str, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file(commit).write_text(text, encoding="utf-8")

    def _measure(self, commit: str) -> bool:
        """Build a commit in a folder of its own; say so if it cannot be built this way."""
        from torpor.footprint import sizes  # noqa: PLC0415 - not needed where nothing is to do

        print(f"  commit {commit} was not measured yet: building it", file=sys.stderr)
        tree = BUILD / "size" / commit
        shutil.rmtree(tree, ignore_errors=True)
        try:
            elf = _built(tree, commit, self.options)
            if elf:
                self._keep(commit, sizes.read(elf).to_json())
        finally:
            shutil.rmtree(tree, ignore_errors=True)
        return elf is not None


def _git(*words: str) -> str:
    """Return what git says of the user's folder, "" where it cannot."""
    try:
        done = subprocess.run(
            ["git", "-C", str(BUILD.parent), *words], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _is_changed() -> bool:
    return bool(_git("status", "--porcelain", "--untracked-files=no"))


def _built(tree: Path, commit: str, options: Options) -> Path | None:
    """Unpack a commit into `tree` and build it with the same options; return its ELF."""
    top = Path(_git("rev-parse", "--show-toplevel"))
    archive = subprocess.run(
        ["git", "-C", str(top), "archive", commit], capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(tree, filter="data")
    if ROOT.is_relative_to(top):  # its own build then, with the libraries that are here
        script = tree / ROOT.relative_to(top) / "SConstruct"
        (script.parent / ".venv").symlink_to(ROOT / ".venv")
    else:
        script = ROOT / "SConstruct"
    folder = tree / BUILD.parent.relative_to(top)
    done = _scons(script, folder, options)
    elf = folder / "build" / options.board.name / options.variant / "firmware.elf"
    if done.returncode or not elf.is_file():
        why = [line for line in done.stderr.splitlines() if line.startswith("scons: ")]
        print(f"  it does not build: {(why or ['no firmware'])[0]}", file=sys.stderr)
        return None
    return elf


def _scons(script: Path, folder: Path, options: Options) -> "subprocess.CompletedProcess[str]":
    words = [
        f"{name}={_place(folder, value)}"
        for name, value in options.arguments.items()
        if name != "since"
    ]
    command = [sys.executable, "-m", "SCons", "-Q", "-j2", "-f", str(script), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _place(folder: Path, value: str) -> str:
    """Return a file or folder that the commit does not have as the one that is here."""
    here = Path(value)
    return str(here.resolve()) if here.exists() and not (folder / value).exists() else value
