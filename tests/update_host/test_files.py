# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Which files a path means, what a build knows of a device, and the names of functions."""

from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from tests.emulated.processes import elf_with
from tests.support import images
from torpor.engine.library import build_library
from torpor.errors import ImageError, UsageError
from torpor.paths import FIRMWARE
from torpor.update.builds import Builds
from torpor.update.files import find, read
from torpor.update.state import FIRMWARE as FIRMWARE_PART
from torpor.update.state import MODEL
from torpor.update.symbols import Function, Symbols


def write(folder: Path, name: str, **fields: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    made = images.model(**fields) if "model" in name else images.firmware(address=0, **fields)
    path.write_bytes(made)
    return path


def names(path: Path) -> list[str]:
    return [file.path.name for file in find(path)]


def test_a_folder_means_its_pair(tmp_path: Path) -> None:
    for name in ("firmware-a.bin", "firmware-b.bin", "model.bin", "plan.bin"):
        write(tmp_path, name)
    assert names(tmp_path) == ["firmware-a.bin", "firmware-b.bin"]
    assert {file.component for file in find(tmp_path)} == {FIRMWARE_PART}


def test_a_folder_may_have_one_firmware_or_a_model_only(tmp_path: Path) -> None:
    write(tmp_path / "one", "firmware.bin")
    write(tmp_path / "model", "model.bin")
    assert names(tmp_path / "one") == ["firmware.bin"]
    assert names(tmp_path / "model") == ["model.bin"]
    assert find(tmp_path / "model")[0].component == MODEL


@pytest.mark.parametrize("name", ["firmware-a.bin", "firmware-b.bin"])
def test_one_of_a_pair_brings_its_sibling(tmp_path: Path, name: str) -> None:
    write(tmp_path, "firmware-a.bin")
    write(tmp_path, "firmware-b.bin")
    first, second = names(tmp_path / name)
    assert (first, {first, second}) == (name, {"firmware-a.bin", "firmware-b.bin"})


def test_a_sibling_of_another_version_or_a_broken_one_is_none(tmp_path: Path) -> None:
    write(tmp_path, "firmware-a.bin", version=(1, 0, 0, 0))
    write(tmp_path, "firmware-b.bin", version=(1, 0, 0, 1))
    assert names(tmp_path / "firmware-a.bin") == ["firmware-a.bin"]
    (tmp_path / "firmware-b.bin").write_bytes(b"broken")
    assert names(tmp_path / "firmware-a.bin") == ["firmware-a.bin"]


def test_a_file_of_any_other_name_stands_alone(tmp_path: Path) -> None:
    write(tmp_path, "firmware-a.bin")
    write(tmp_path, "mine.bin")
    assert names(tmp_path / "mine.bin") == ["mine.bin"]


def test_two_versions_in_a_folder_are_no_pair(tmp_path: Path) -> None:
    write(tmp_path, "firmware-a.bin", version=(1, 0, 0, 0))
    write(tmp_path, "firmware-b.bin", version=(1, 1, 0, 0))
    with pytest.raises(UsageError, match=r"firmware-a.bin is 1.0.0, firmware-b.bin is 1.1.0"):
        find(tmp_path)


def test_a_folder_without_images_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no images") as caught:
        find(tmp_path)
    assert "scons board=... image" in caught.value.hint


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "firmware-a.bin")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ImageError, match=r"firmware-a.bin: "):
        find(tmp_path)


def test_a_file_of_tests_is_not_signed_with_the_development_key(tmp_path: Path) -> None:
    assert not read(write(tmp_path, "firmware-a.bin")).is_development


# ---- builds


def test_a_build_is_found_by_its_hash_among_those_of_its_board(tmp_path: Path) -> None:
    ours = write(tmp_path / "toy" / "x-int8" / "image", "firmware-a.bin")
    write(tmp_path / "toy" / "y-int8" / "image", "firmware-a.bin", version=(9, 0, 0, 0))
    (ours.parent / "broken.bin").write_bytes(b"broken")
    builds = Builds("toy", tmp_path)
    found = builds.find(read(ours).image.hash[:8])
    assert found
    assert found[0] == ours
    assert builds.find(b"12345678") is None
    assert Builds("other", tmp_path).find(read(ours).image.hash) is None


@pytest.fixture(scope="module")
def library() -> Path:
    """A library with functions, as a firmware has them."""
    return build_library("crc", [FIRMWARE / "core" / "crc32.c"])


def test_a_build_names_the_functions_of_the_image_that_ran(tmp_path: Path, library: Path) -> None:
    image = write(tmp_path / "toy" / "x-int8" / "image", "firmware-a.bin")
    image.with_suffix(".elf").write_bytes(library.read_bytes())
    builds = Builds("toy", tmp_path)
    symbols = builds.symbols(read(image).image.hash[:8])
    assert symbols
    assert symbols.name(address_of(library)) == "crc32_update"
    assert builds.symbols(read(image).image.hash[:8]) is symbols


def test_a_build_without_its_elf_names_nothing(tmp_path: Path) -> None:
    image = write(tmp_path / "toy" / "x-int8" / "image", "firmware-a.bin")
    assert Builds("toy", tmp_path).symbols(read(image).image.hash) is None
    assert Builds("toy", tmp_path).symbols(b"12345678") is None


# ---- functions


def address_of(library: Path) -> int:
    with library.open("rb") as file:
        table: Any = ELFFile(file).get_section_by_name(".symtab")
        return int(table.get_symbol_by_name("crc32_update")[0]["st_value"])


def test_addresses_have_the_name_of_the_function_that_they_are_in(library: Path) -> None:
    symbols, at = Symbols.read(library), address_of(library)
    assert symbols.name(at) == "crc32_update"
    assert symbols.name(at + 5) == "crc32_update+0x5"
    assert symbols.name(0) is None
    assert symbols.name(2**32 - 1) is None


def test_an_address_between_two_functions_is_in_none() -> None:
    symbols = Symbols([Function(0x200, 8, "second"), Function(0x100, 16, "first")])
    found = [symbols.name(at) for at in (0xFF, 0x100, 0x10F, 0x110, 0x200, 0x207, 0x208)]
    assert found == [None, "first", "first+0xf", None, "second", "second+0x7", None]


def test_a_file_without_functions_is_no_firmware(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no functions"):
        Symbols.read(elf_with(tmp_path, (0, b"x", 1)))
    with pytest.raises(UsageError, match="is no ELF file"):
        Symbols.read(write(tmp_path, "firmware-a.bin"))
    with pytest.raises(UsageError, match="No such file"):
        Symbols.read(tmp_path / "none.elf")
