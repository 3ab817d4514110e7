# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Third-party C: pinned, fetched by name and hash, unpacked once."""

import gzip
import io
import subprocess
import tarfile
import threading
import tomllib
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from tools import fetch_third_party
from torpor import third_party
from torpor.engine.library import compiler
from torpor.errors import MissingToolError, UsageError
from torpor.paths import ROOT
from torpor.third_party import ARCHIVES, PINS, Library, Pin, archive_problem, library, pins

NAMES = ("bearssl", "microfrontend", "microfrontend_tables", "monocypher", "zcbor")
FETCHED = tuple(pin for pin in pins().values() if pin.archive)


def pinned(folder: Path, files: dict[str, bytes], **fields: object) -> Pin:
    """Write an archive with `files` to `folder`; return a pin of it."""
    folder.mkdir(parents=True, exist_ok=True)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(f"some-1.0/{name}")
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    # Without a time in it the same files have the same hash a second later too.
    (folder / "some-1.0.tar.gz").write_bytes(gzip.compress(tar.getvalue(), mtime=0))
    made = Pin(
        name="some",
        pip="some==1.0",
        archive="some-1.0.tar.gz",
        sha256=sha256((folder / "some-1.0.tar.gz").read_bytes()).hexdigest(),
        sources=("*.c",),
        headers=("inc/*.h",),
        include=("inc",),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.fixture
def some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Library]:
    """A library of two files, pinned anew by each call; its archive is in tmp_path/archives."""
    files = {"a.c": b"int a;\n", "inc/a.h": b"extern int a;\n", "test/b.txt": b"not taken\n"}
    archives = tmp_path / "archives"

    def find(**fields: object) -> Library:
        pin = pinned(archives, files, **fields)
        monkeypatch.setattr(third_party, "pins", lambda: {"some": pin})
        return library("some", archives, tmp_path / "unpacked")

    return find


def test_every_library_has_one_origin_and_what_comes_over_the_net_has_a_hash() -> None:
    assert set(pins()) == set(NAMES)
    for pin in pins().values():
        assert sum(map(bool, (pin.pip, pin.debian, pin.wheel))) == 1
        assert bool(pin.archive) == (len(pin.sha256) == 64) == (not pin.wheel)


def test_the_version_of_an_sdist_is_that_of_its_file() -> None:
    for pin in FETCHED:
        file = pin.archive.replace("_", "-")  # names of packages have either
        assert not pin.pip or file == pin.pip.replace("==", "-") + ".tar.gz"


def test_the_pins_name_no_host() -> None:
    assert "://" not in PINS.read_text()
    assert "://" not in (ROOT / "tools" / "fetch_third_party.py").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_library_compiles_with_the_flags_that_it_names(name: str, tmp_path: Path) -> None:
    found = library(name)
    assert found.sources
    for source in found.sources:
        command = [compiler(), "-std=c11", "-Os", *found.own_flags, "-c", str(source)]
        subprocess.run([*command, "-o", tmp_path / f"{source.stem}.o"], check=True)


@pytest.mark.parametrize("pin", FETCHED, ids=lambda pin: pin.name)
def test_a_licence_comes_with_what_is_unpacked(pin: Pin) -> None:
    folder = library(pin.name).include[0]
    names = ("LICENSE.txt", "../LICENSE.txt", "LICENSE")
    assert any((folder / name).exists() for name in names)


def test_only_what_is_listed_is_unpacked(some: Callable[..., Library], tmp_path: Path) -> None:
    found = some(private=(".",), defines=("ONE",))
    (folder,) = (tmp_path / "unpacked").iterdir()
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert files == {"a.c", "inc/a.h"}
    assert found.sources == (folder / "a.c",)
    assert found.flags == ["-isystem", str(folder / "inc"), "-DONE"]
    assert found.own_flags == ["-w", *found.flags, f"-I{folder}"]


def test_a_library_may_be_c_whatever_its_files_are_called(
    some: Callable[..., Library], tmp_path: Path
) -> None:
    assert "-x" not in some().own_flags
    found = some(language="c")
    assert found.own_flags[-2:] == ["-x", "c"] and "-x" not in found.flags
    source = tmp_path / "a.cc"
    source.write_text("int class;\n")  # no C++
    command = [compiler(), *found.own_flags, "-c", str(source), "-o", str(tmp_path / "a.o")]
    subprocess.run(command, check=True)


def test_what_is_unpacked_is_not_unpacked_again(
    some: Callable[..., Library], tmp_path: Path
) -> None:
    first = some()
    first.sources[0].write_text("int a; /* marked */\n")
    (tmp_path / "archives" / "some-1.0.tar.gz").write_bytes(b"nobody looks at it any more")
    assert library("some", tmp_path / "archives", tmp_path / "unpacked") == first
    assert "marked" in first.sources[0].read_text()


def test_a_changed_pin_is_unpacked_anew(some: Callable[..., Library]) -> None:
    first = some()
    assert some(headers=("inc/a.h",)).sources != first.sources
    assert some().sources == first.sources


def test_a_source_is_edited_where_its_pin_says_so(some: Callable[..., Library]) -> None:
    found = some(edits=(("a.c", "a;", "b;"), ("a.c", "int .;", r"\0")))
    assert found.sources[0].read_text() == "\\0\n"
    assert some().sources[0].read_text() == "int a;\n"


@pytest.mark.parametrize(("pattern", "times"), [("[^ ]", 6), ("b", 0)])
def test_an_edit_that_does_not_fit_once_is_refused(
    some: Callable[..., Library], tmp_path: Path, pattern: str, times: int
) -> None:
    with pytest.raises(UsageError, match=rf"^some: a.c has .* {times} times, not once$"):
        some(edits=(("a.c", pattern, "c"),))
    assert list((tmp_path / "unpacked").iterdir()) == []


def test_builds_at_the_same_time_do_not_disturb_each_other(
    some: Callable[..., Library], tmp_path: Path
) -> None:
    some()
    found: list[Library] = []
    fresh = tmp_path / "fresh"
    threads = [
        threading.Thread(target=lambda: found.append(library("some", tmp_path / "archives", fresh)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8
    assert [path.name for path in fresh.iterdir()] == [found[0].sources[0].parent.name]


def test_what_is_not_there_names_the_library_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        MissingToolError, match=r"^monocypher: pymonocypher.* is missing$"
    ) as caught:
        library("monocypher", tmp_path, tmp_path / "unpacked")
    assert caught.value.hint == "run tools/setup"
    assert not (tmp_path / "unpacked").exists()


def test_another_file_than_the_pinned_one_is_not_unpacked(tmp_path: Path) -> None:
    for pin in FETCHED:
        (tmp_path / pin.archive).write_bytes((ARCHIVES / pin.archive).read_bytes() + b"\0")
        with pytest.raises(MissingToolError, match="is not the file that"):
            library(pin.name, tmp_path, tmp_path / "unpacked")


def test_a_wheel_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pin = replace(pins()["zcbor"], wheel="no_such_package_at_all")
    monkeypatch.setattr(third_party, "pins", lambda: {"zcbor": pin})
    with pytest.raises(MissingToolError, match="no_such_package_at_all is missing"):
        library("zcbor")


def test_an_unknown_library_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown library 'monocyper'") as caught:
        library("monocyper")
    assert "did you mean 'monocypher'?" in caught.value.hint


class Programs:
    """Stands in for pip and apt-get: notes the commands, delivers files."""

    def __init__(self, content: bytes = b"", *, at: int = 1, fails: bool = False) -> None:
        self.content = content
        self.at = at  # which download, counted from 1, succeeds
        self.fails = fails
        self.downloads = 0
        self.commands: list[list[str]] = []
        self.files: dict[str, str] = {}

    def run(self, command: list[str], cwd: Path, **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(list(command))
        self.files |= {p.name: p.read_text() for p in cwd.iterdir() if p.suffix in LISTS}
        self.downloads += "download" in command or "--download-only" in command
        if self.downloads >= self.at and not self.fails:
            (cwd / "some-1.0.tar.gz").write_bytes(self.content)
        return subprocess.CompletedProcess(command, int(self.fails), "what ", "it says\n")


LISTS = (".txt", ".sources", ".list")
CONTENT = b"an archive"
PIN = Pin(
    name="some",
    sources=(),
    include=(),
    archive="some-1.0.tar.gz",
    sha256=sha256(CONTENT).hexdigest(),
)
SDIST = replace(PIN, pip="some==1.0")
DEBIAN = replace(PIN, debian="some")


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    """A folder like /etc/apt."""
    parts = tmp_path / "apt" / "sources.list.d"
    parts.mkdir(parents=True)
    (parts / "debian.sources").write_text("Types: deb\nURIs: x\nSuites: stable\nSigned-By: key\n")
    (parts / "other.list").write_text("deb-src x stable main\ndeb [signed-by=k] x stable main\n")
    return parts.parent


def fetch(
    monkeypatch: pytest.MonkeyPatch, pin: Pin, programs: Programs, folder: Path, apt: Path
) -> bool:
    monkeypatch.setattr(subprocess, "run", programs.run)
    return fetch_third_party.fetch(pin, folder / "archives", apt)


def test_an_sdist_is_asked_for_by_name_and_hash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, apt: Path
) -> None:
    programs = Programs(CONTENT)
    assert fetch(monkeypatch, SDIST, programs, tmp_path, apt)
    (command,) = programs.commands
    assert {"--require-hashes", "--no-deps", "--no-build-isolation"} < set(command)
    assert command[command.index("--no-binary") + 1] == "some", "never :all:"
    assert programs.files["requirement.txt"] == f"some==1.0 --hash=sha256:{PIN.sha256}\n"
    assert [p.name for p in (tmp_path / "archives").iterdir()] == ["some-1.0.tar.gz"]


def test_what_is_there_is_not_fetched_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, apt: Path
) -> None:
    assert fetch(monkeypatch, SDIST, Programs(CONTENT), tmp_path, apt)
    programs = Programs(CONTENT)
    assert not fetch(monkeypatch, SDIST, programs, tmp_path, apt)
    assert programs.commands == []


@pytest.mark.parametrize("pin", [SDIST, DEBIAN], ids=["pip", "debian"])
def test_another_file_than_the_pinned_one_is_refused_and_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, apt: Path, pin: Pin
) -> None:
    with pytest.raises(MissingToolError, match=r"cannot fetch some: .* is not the file"):
        fetch(monkeypatch, pin, Programs(b"something else"), tmp_path, apt)
    assert list((tmp_path / "archives").iterdir()) == []


@pytest.mark.parametrize("pin", [SDIST, DEBIAN], ids=["pip", "debian"])
def test_a_failed_download_shows_its_words_and_another_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, apt: Path, pin: Pin
) -> None:
    with pytest.raises(MissingToolError, match="what it says") as caught:
        fetch(monkeypatch, pin, Programs(fails=True), tmp_path, apt)
    assert str(tmp_path / "archives") in caught.value.hint
    assert PIN.sha256 in caught.value.hint


def test_a_source_package_comes_from_the_lists_that_apt_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, apt: Path
) -> None:
    programs = Programs(CONTENT)
    assert fetch(monkeypatch, DEBIAN, programs, tmp_path, apt)
    update, source = programs.commands
    assert programs.files["src.sources"].splitlines()[:2] == ["Types: deb-src", "URIs: x"]
    assert "Signed-By: key" in programs.files["src.sources"], "apt still checks who signed"
    assert (update[0], update[-1]) == ("apt-get", "update")
    assert source[-4:] == ["source", "--download-only", "--tar-only", "some"]
    folders = [word for word in source if word.startswith(("Dir::State", "Dir::Cache"))]
    assert all(str(tmp_path) in word for word in folders), "no root is needed"
    assert len(folders) == 2


def test_the_next_list_is_tried_if_one_has_not_got_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, apt: Path
) -> None:
    programs = Programs(CONTENT, at=2)
    assert fetch(monkeypatch, DEBIAN, programs, tmp_path, apt)
    assert programs.files["src.list"] == "\ndeb-src [signed-by=k] x stable main\n"


def test_a_disc_is_no_source() -> None:
    assert fetch_third_party._as_source("deb cdrom:[Debian]/ stable main") == ""
    assert fetch_third_party._as_source("# deb x stable main") == "# deb x stable main"
    assert fetch_third_party._as_source("deb x stable main") == "deb-src x stable main"


def test_without_apt_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "apt").mkdir()
    (tmp_path / "apt" / "sources.list").write_text("deb x stable main\n")
    with pytest.raises(MissingToolError, match="apt-get is missing"):
        fetch_third_party.fetch(DEBIAN, tmp_path / "archives", tmp_path / "apt")
    with pytest.raises(MissingToolError, match="no list of Debian sources found"):
        fetch_third_party.fetch(DEBIAN, tmp_path / "archives", tmp_path / "none")


def test_the_command_says_what_went_wrong_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(pin: Pin) -> bool:
        raise MissingToolError(f"cannot fetch {pin.name}", "a hint")

    monkeypatch.setattr(fetch_third_party, "fetch", refuse)
    assert fetch_third_party.main() == 3
    assert capsys.readouterr().err.endswith("\nhint: a hint\n")
    monkeypatch.setattr(fetch_third_party, "fetch", lambda pin: pin.name == "bearssl")
    assert fetch_third_party.main() == 0
    assert capsys.readouterr().err == "fetched bearssl_0.6+dfsg.1.orig.tar.xz\n"


def test_what_this_machine_has_is_what_is_pinned() -> None:
    assert [archive_problem(pin) for pin in FETCHED] == [""] * len(FETCHED)
    tables = tomllib.loads(PINS.read_text())
    assert [pin.sha256 for pin in FETCHED] == [
        t["sha256"] for t in tables.values() if "sha256" in t
    ]
