# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a Renode is told, and what is made of its answers: it need not be there."""

import dataclasses
import json
import shutil
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from torpor import emulate
from torpor.board import Board, board_names, load_board
from torpor.emulate import FlashFile, renode
from torpor.emulate.remote import quoted, reason
from torpor.errors import DeviceError, MissingToolError, UsageError
from torpor.paths import BOARDS

BOARD = "stm32f4_discovery"
FAKE = Path(__file__).with_name("fake_renode.py")
SIZE = 0x100000
ELSEWHERE = 0x20010000


def vectors(origin: int) -> bytes:
    """Return initial stack, reset vector, and what it leads to: NOP, and a branch to it."""
    return struct.pack("<II", 0x20001000, origin + 9) + b"\x00\xbf\xfd\xe7"


class Bench:
    """A board whose Renode is a fake.

    Args:
        folder: for everything.
        setup: of the fake.
    """

    def __init__(self, folder: Path, **setup: Any) -> None:
        self.folder = folder
        self.log = folder / "commands"
        (folder / "setup").write_text(json.dumps({"log": str(self.log), **setup}))
        program = folder / "renode"
        if not program.exists():
            program.write_text(f"#!{sys.executable}\n" + FAKE.read_text())
            program.chmod(0o755)
        facts = load_board(BOARD)
        assert facts.emulator
        emulator = dataclasses.replace(facts.emulator, program=str(program))
        self.board: Board = dataclasses.replace(facts, emulator=emulator)

    def start(self, **options: Any) -> emulate.Emulator:
        return emulate.start(self.board, self.elf(), **options)

    def elf(self, origin: int = 0x08000000) -> Path:
        """Return a firmware that loops at the beginning of the flash, and has bytes elsewhere."""
        code = vectors(origin)
        path = self.folder / "firmware.elf"
        ident = b"\x7fELF\x01\x01\x01" + bytes(9)
        head = struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, origin + 9, 52, 0, 0, 52, 32, 2, 40, 0, 0)
        parts = ((116, origin, len(code)), (116 + len(code), ELSEWHERE, 4))
        programs = b"".join(
            struct.pack("<8I", 1, offset, at, at, size, size, 5, 4) for offset, at, size in parts
        )
        path.write_bytes(ident + head + programs + code + b"else")
        return path

    def commands(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("FAKE_RENODE", str(tmp_path / "setup"))
    return Bench(tmp_path)


def test_a_machine_is_made_filled_connected_and_then_started(bench: Bench) -> None:
    with bench.start() as device:
        device.transport.write(b"ping")
        assert device.transport.read(5) == b"PING"
    kinds = [" ".join(command.split()[:2]) for command in bench.commands()]
    models = len(list((BOARDS / BOARD).glob("*.cs")))
    assert all("include @" in kind for kind in kinds[:models])
    assert (
        kinds[models:]
        == [
            "mach create",
            "machine LoadPlatformDescription",
            "cpu VectorTableOffset",
            "macro reset",
            "sysbus LoadBinary",  # noise
            "sysbus LoadBinary",  # what of the firmware lies elsewhere
            "flashController LoadFrom",
            *(" ".join(command.split()[:2]) for command in _facts(bench).args),
            "emulation CreateServerSocketTerminal",
            "connector Connect",
            "machine StartGdbServer",
            "start",
            "cpu PerformanceInMips",
        ]
    )


def test_the_flash_lasts_and_holds_the_firmware(bench: Bench) -> None:
    path = bench.folder / "flash"
    FlashFile(bench.board, path).program(0x1000, b"kept")
    with bench.start(flash=path) as device:
        assert device.flash
        with device.off() as flash:
            assert flash
            assert flash.read(0, 12) == vectors(0x08000000)
            assert flash.read(0x1000, 4) == b"kept"
            assert flash.read(SIZE - 2) == b"\xff!", "as the model has saved it"
    saved = [command for command in bench.commands() if "SaveTo" in command]
    assert len(saved) == 2, "at the cut, and at the end"


def test_the_ram_is_other_noise_each_time_that_the_power_comes(bench: Bench) -> None:
    noises = []
    for seed in range(2):
        setup = emulate.machine.Setup(bench.board, _facts(bench), bench.elf(), (), None)
        renode.filling(setup, seed, bench.folder)
        ram = bench.board.memory["ram"].origin
        noises.append((bench.folder / f"{ram:x}").read_bytes())
    assert noises[0] != noises[1]
    assert len(noises[0]) == 16384


def _facts(bench: Bench) -> Any:
    assert bench.board.emulator
    return bench.board.emulator


def test_a_reset_a_button_and_idle_time_are_commands(bench: Bench) -> None:
    with bench.start(skip_idle=True) as device:
        device.reset()
        device.edge()
    commands = bench.commands()
    assert "emulation SetGlobalAdvanceImmediately true" in commands
    assert commands.index("machine Reset") < commands.index("button Press")


def test_instructions_are_counted_by_ticks_that_are_short(bench: Bench) -> None:
    with bench.start() as device:  # 25 MHz
        assert device.instructions(1000, 25_000_000) == 1000
        assert device.instructions(1000, 12_500_000) == 2000
        assert device.instructions(1000, 32_768) is None
        assert device.instructions(1000, 0) is None


def test_a_stop_that_is_told_twice_is_no_answer(bench: Bench) -> None:
    with bench.start() as device:
        assert device.debugger.read(0x20000000, 8) == bytes(8)


def test_a_port_that_somebody_took_meanwhile_is_given_up_for_another(
    tmp_path: Path, bench: Bench
) -> None:
    busy = Bench(tmp_path, busy=3)
    with busy.start() as device:
        device.transport.write(b"x")
        assert device.transport.read(5) == b"X"
    ports = [c.split()[2] for c in busy.commands() if "CreateServerSocketTerminal" in c]
    assert len(ports) == 4


def test_what_renode_refuses_is_told_with_its_reason(tmp_path: Path, bench: Bench) -> None:
    refusing = Bench(tmp_path, refuse={"machine LoadPlatformDescription": "Error E13: no such"})
    with pytest.raises(DeviceError, match="Renode refused 'machine LoadPlatform") as caught:
        refusing.start()
    assert caught.value.hint == "Error E13: no such"


def test_a_renode_that_ends_at_once_is_told_with_its_words(tmp_path: Path, bench: Bench) -> None:
    with pytest.raises(DeviceError, match="renode ended with exit status 1") as caught:
        Bench(tmp_path, dies=True).start()
    assert "no .NET here" in caught.value.hint


def test_a_renode_that_is_not_there_is_named_with_how_to_get_it(bench: Bench) -> None:
    facts = dataclasses.replace(_facts(bench), program="no-such-renode")
    board = dataclasses.replace(bench.board, emulator=facts)
    with pytest.raises(MissingToolError, match="no-such-renode is not installed") as caught:
        emulate.start(board, bench.elf())
    assert "docs/RENODE.md" in caught.value.hint


def test_icount_is_nothing_for_renode(bench: Bench) -> None:
    with pytest.raises(UsageError, match="counts no instructions"):
        bench.start(icount_shift=5)


def test_nothing_is_left_when_it_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    place = bench.folder / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with bench.start():
        assert list(place.iterdir())
    assert list(place.iterdir()) == []


def test_the_innermost_words_of_an_error_are_told() -> None:
    text = "KeywordException: There was an error\nRecoverableException: no such file\n"
    assert reason(text) == "There was an error | no such file"


def test_a_path_with_a_space_is_one_word() -> None:
    assert quoted(Path("/a b/c")) == "@/a\\ b/c"


@pytest.mark.emulated
@pytest.mark.parametrize(
    "name", [n for n in board_names() if (e := load_board(n).emulator) and e.kind == "renode"]
)
def test_renode_takes_the_files_of_a_board(name: str, bench: Bench) -> None:
    board = load_board(name)
    assert board.emulator
    if shutil.which(board.emulator.program) is None:
        pytest.skip(f"{board.emulator.program} is not installed ({board.emulator.how_to_get})")
    origin = board.memory["code"].origin
    with emulate.start(board, bench.elf(origin)) as device:
        assert device.debugger.read(origin, 12) == vectors(origin)
        assert device.debugger.read(ELSEWHERE, 4) == b"else"
