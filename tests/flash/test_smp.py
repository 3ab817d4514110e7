# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""torpor flash where a torpor device answers already: it is updated, over the real SMP server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flash.bench import STM, Bench, board_text
from tests.mgmt.library import open_mgmt
from tests.support import images
from tests.update.device import A, B
from tests.update_host.ports import Port, TerminalEnd
from tests.update_host.toy import GEOMETRY, Toy, toy

SILENT = "silent"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Return (ffi, library) of the SMP server and all below it."""
    return open_mgmt(tmp_path_factory.mktemp("mgmt"))


@pytest.fixture
def it(opened: tuple[Any, Any]) -> Toy:
    """A device that runs firmware 1.0.0 in slot A."""
    return toy(opened)


@pytest.fixture
def port(it: Toy, tmp_path: Path) -> Iterator[str]:
    made = Port(tmp_path / "device", it.feed, TerminalEnd)
    yield str(tmp_path / "device")
    made.close()


@pytest.fixture
def build(bench: Bench) -> Path:
    """Images of version 2.0.0 for a board that lies as the device does."""
    base, offsets = GEOMETRY.base, GEOMETRY.offsets
    text = board_text(STM)
    for old, new in (
        ("origin = 0x8000000\nsize = 0x80000\nwrite", f"origin = {base:#x}\nsize = 0x80000\nwrite"),
        ("journal = 0x4000", "journal = 0x0"),
        ("firmware = [0x6000, 0x26000]", f"firmware = [{offsets[0]}, {offsets[1]}]"),
        ("firmware_size = 0x20000", f"firmware_size = {GEOMETRY.firmware}"),
        ("models = [0x46000, 0x4A000, 0x4E000]", f"models = {offsets[2:]}"),
    ):
        assert old in text
        text = text.replace(old, new)
    folder = bench.root / "boards" / "toy"
    folder.mkdir()
    (folder / "board.toml").write_text(text)
    image = bench.root / "build" / "toy" / "motion-int8" / "image"
    image.mkdir(parents=True)
    for letter, slot in (("a", A), ("b", B)):
        data = images.firmware(
            b"new code" * 999, address=base + offsets[slot], board=b"toy", version=(2, 0, 0, 0)
        )
        (image / f"firmware-{letter}.bin").write_bytes(data)
    (image / "model.bin").write_bytes(images.model())
    return image.parent


FIRMWARE = "--board", "toy", "--what", "firmware"


def test_a_device_that_answers_is_updated_where_no_probe_is(
    bench: Bench, build: Path, port: str
) -> None:
    result = bench.flash(build, *FIRMWARE, "--port", port)
    assert result.code == 0, result.err
    assert f"toy: smp over {port}" in result.err
    assert result.out == "2.0.0 in slot B runs and is confirmed\n"


def test_it_can_be_asked_for_and_says_json(bench: Bench, build: Path, port: str) -> None:
    result = bench.flash(build, *FIRMWARE, "--port", port, "--tool", "smp", "--json")
    assert result.json["verdict"] == "confirmed"


def test_a_device_that_goes_back_is_exit_code_1(
    bench: Bench, build: Path, it: Toy, port: str
) -> None:
    it.outcomes["2.0.0"] = "fault"
    result = bench.flash(build, *FIRMWARE, "--port", port)
    assert result.code == 1
    assert "the device went back" in result.out


def test_a_dry_run_says_which_command_does_it(bench: Bench, build: Path, port: str) -> None:
    words = *FIRMWARE, "--port", port, "--tool", "smp", "--dry-run"
    result = bench.flash(build, *words)
    assert result.out == f"torpor update '{build / 'image'}' --port {port}\n"


def test_a_running_device_takes_no_bootloader(bench: Bench, build: Path, port: str) -> None:
    result = bench.flash(build, *FIRMWARE, "--port", port, "--tool", "smp", "--erase")
    assert result.code == 2
    assert "a running device takes images" in result.err


def test_a_port_that_is_silent_is_told_of_beside_what_was_looked_for(
    bench: Bench, build: Path, tmp_path: Path
) -> None:
    made = Port(tmp_path / SILENT, lambda _data: b"", TerminalEnd)
    try:
        result = bench.flash(build, *FIRMWARE, "--port", tmp_path / SILENT)
    finally:
        made.close()
    assert result.code == 7
    assert f"openocd: no probe 0483:374b at {tmp_path / SILENT}" in result.err
    assert f"{tmp_path / SILENT}: " in result.err
